// Package deploytest holds what runs Rounds, the compose file, the manifests of Cloud Run, the image and Redis' users,
// against what their own decoders accept and against what the programs need.
//
// It is a module of its own: the decoders bring more dependencies than all programs together, and none of them must
// choose a version for a program. It has tests only; "make manifests" runs them. They start the programs, a redis-server
// and PostgreSQL, and need neither a container engine nor Google.
package deploytest
