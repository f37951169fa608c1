"""Explorers in a page, without a kernel: what `Explorer.page` writes.

`layers` turns a decoder into a list that decoder.js runs, `table` stores the answers of explorers that have few
positions, `bundle` writes the file, and `first` the picture that stands in the page until all is there. The JavaScript
beside them answers in place of the kernel; `course_utils.widgets.front_end` puts it together.
"""
