"""What is typed: common options, times, files, and the commands that messages tell people to type."""
