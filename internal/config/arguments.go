package config

import "errors"

// NoArguments returns an error when a process that is set up by its environment alone was given arguments: a flag that is
// ignored is a setting that somebody believes in. Callers end with the exit code for wrong usage, 2.
func NoArguments(args []string) error {
	if len(args) == 0 {
		return nil
	}
	return errors.New("arguments are not taken: settings come from the environment")
}
