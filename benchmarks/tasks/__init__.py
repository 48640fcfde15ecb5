"""What a contender does in a process of its own: each module has `measure`, which gives figures."""
