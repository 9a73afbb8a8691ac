"""The nightly job: run, redrive, monitor and report under one lock, with a deadline and somebody who is told."""
