// Package redisconn connects to Redis. It parses URLs, builds every client of the program with the
// project's timeouts, checks that a server is configured for its role, and turns the client's
// errors into errors that are safe to show and store.
package redisconn
