"""Adds up the reports of the test runs; prints what failed, and last 'N passed, N failed, N skipped'."""

import sys
from pathlib import Path
from xml.etree import ElementTree

passed = failed = skipped = 0
for report in (argument for argument in sys.argv[1:] if argument.endswith(".xml")):
    if not Path(report).exists():
        continue  # the run broke off; its stage is among those that failed
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
            print(f"failed: {Path(report).stem}: {case.get('classname')} {case.get('name')}")
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
stages = [argument for argument in sys.argv[1:] if not argument.endswith(".xml")]
for stage in stages:
    print(f"failed stage: {stage}")
failed = max(failed, len(stages))
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed else 0)
