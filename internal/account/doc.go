// Package account has what belongs to a tenant's account with the vendor: its sealed credentials in
// the ledger, the client that calls the vendor with them, and the key that seals the tenant's
// cached values.
package account
