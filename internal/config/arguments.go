package config

import "errors"

// NoArguments returns an error for arguments to a program that takes none. A flag that is silently
// ignored would look like a setting. Callers exit with the code for wrong usage, 2.
func NoArguments(args []string) error {
	if len(args) == 0 {
		return nil
	}
	return errors.New("no arguments are accepted: settings come from the environment")
}
