// Package phi protects health information: at rest, in text, and as a reference. It takes exactly
// three forms:
//
//   - Text is a value in memory. It masks itself in every ordinary way of printing or marshaling.
//     Reveal returns the value; Marshal calls it for bytes that are about to be sealed.
//   - Sealed bytes are stored in Redis and in the ledger. They open only with the key of their
//     tenant and the associated data they were sealed with: a payload moved to another tenant,
//     kind, task or cache key returns ErrOpen and reveals nothing.
//   - Ref is a keyed digest that stands for an identifier wherever it may be seen: keys, logs,
//     spans, events, errors.
//
// # Keys
//
// Keys is a Tink keyset with one or more PRF keys (HKDF-SHA256). Everything else is derived:
//
//	PRF(key, "rounds/1/seal" tenant) -> AES-256-GCM key of the tenant      key = primary for Seal, the named one for Open
//	PRF(key, "rounds/1/ref" tenant)  -> HMAC-SHA256 key for the tenant's refs   key = always the first of the set
//
// Rotation adds a key and makes it primary; older sealed bytes open as long as their key stays in
// the set. The first key must never be removed: refs are compared over months (uniqueness,
// last-seen records, dead letters) and so must not change.
//
// Cached values are sealed with a DataKey instead: a random key per tenant that is stored in the
// ledger, wrapped by the Sealer. Deleting that row makes every cached value of the tenant
// unreadable, including all copies.
//
// Random 96-bit nonces allow 2^32 messages for each derived key before a collision becomes likelier
// than 2^-32 (NIST SP 800-38D, 8.3); rotate the keyset before a tenant reaches that number.
package phi
