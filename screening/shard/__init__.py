"""One shard, from planned rows to committed rows: plain functions without Ray."""
