"""Explorers in a page, without a kernel.

`layers` turns a decoder into a list of layers, which decoder.js runs.
"""
