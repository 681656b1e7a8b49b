package config

import (
	"reflect"
	"slices"
)

// Names returns every variable of ours and of OTEL that this package checks, sorted. The other OTEL variables are read
// by the exporters; variables that ROUNDS_TENANTS names are the operator's own.
func Names() []string {
	var names []string
	for f := range reflect.TypeFor[variables]().Fields() {
		names = append(names, f.Tag.Get("env"))
	}
	slices.Sort(names)
	return names
}
