"""A night: plan, Ray Data pipeline, resume, redrive, and the proof that nothing was lost."""
