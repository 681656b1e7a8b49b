// Package access has the two ways into the system: API keys for services that call the gateway, and
// logins for operators who use the monitor's pages. It makes them, parses the files that list them,
// and checks what a caller presents.
//
// Both files have one entry per line. A line of the key file is "name tenant sha256-of-key", a line
// of the login file "name role bcrypt-hash". Empty lines and lines that begin with '#' are ignored.
// The files hold no key and no password, and faults never quote a line: a key or a password is
// often pasted into the wrong field.
package access
