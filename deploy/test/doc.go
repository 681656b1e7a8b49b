// Package deploytest checks the files that deploy Rounds: the compose file, the Cloud Run
// manifests, the image and the Redis users. It compares them with what their decoders accept and
// what the programs need.
//
// It is a separate module, because the decoders have more dependencies than all programs together
// and must not choose a version for a program. It contains only tests; "make manifests" runs them.
// They start the programs, a redis-server and PostgreSQL, and need neither a container engine nor
// Google Cloud.
package deploytest
