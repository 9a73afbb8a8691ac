"""The nightly job: run, redrive, compact, retain, monitor and report under one lock, with a deadline and somebody who is told."""
