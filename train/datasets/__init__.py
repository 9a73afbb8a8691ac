"""The public data sets: one reader a set, from the folder as downloaded to one manifest whose splits keep every patient on one side."""
