"""What nodemend costs and how fast it is: `make bench`, whose table is docs/bench.md."""
