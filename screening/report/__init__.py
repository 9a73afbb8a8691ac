"""The report in the order of STARD 2015, one HTML file."""
