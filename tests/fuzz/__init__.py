"""Coverage-guided fuzzing: `python -m tests.fuzz --minutes 5`, or `make fuzz FUZZ="--minutes 5"`.

A target is a function of bytes that raises exactly when there is a bug: an exception that its code does not declare, or two
readings that should agree and do not. The engine is atheris (libFuzzer) where it is installed, else hypothesis, which mutates
the same seeds without looking at coverage. What is found is written to a file; made a test by moving that file to
`tests/corpus/found/TARGET/`, which `test_targets.py` feeds to its target for ever.
"""
