"""One stage as one Ray Train job: what the driver starts and what each worker does."""
