package main

import (
	"cmp"
	"fmt"
)

// fault is one retired word and where it is.
type fault struct {
	file         string
	line, column int
	text         string
}

func (f fault) String() string { return fmt.Sprintf("%s:%d:%d: %s", f.file, f.line, f.column, f.text) }

func compareFaults(a, b fault) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
}
