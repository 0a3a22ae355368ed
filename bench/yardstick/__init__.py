"""What bench/run is made of: machine, tools, contenders, rows, report."""
