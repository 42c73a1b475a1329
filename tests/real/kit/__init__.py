"""What the checks share: programs with an end, free ports, readers of the exposition that are not ours."""
