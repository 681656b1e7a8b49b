// Package app wires the processes. Each constructor reads from top to bottom: it closes in reverse
// order what it opened, also when it fails halfway.
//
// The package decides nothing that belongs to a package below it. It decides the order: which part
// gets which other part, what is checked before work begins, and the middleware around every task.
package app

import _ "time/tzdata" // practices have time zones, and a container may have no zone database
