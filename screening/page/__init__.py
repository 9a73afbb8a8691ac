"""Pages that open offline: markup, charts and style, shared by the report and the evaluation."""
