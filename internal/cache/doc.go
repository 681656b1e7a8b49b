// Package cache keeps documents and views of each tenant in Redis and never calls one fresh that is not.
//
// # The rule
//
// Each tenant has a clock c that only scripts on the server move: c becomes max(c+1, TIME in µs). Whoever loads gets a
// stamp from it before the load begins. Whoever changes something draws a version from it for each tag of the change.
//
//	an entry is valid  <=>  it is of the present epoch, and no tag of it has a version above its stamp
//
// A reader that starts after an invalidation of tag g with version V has completed can be given no value of g from before
// the change: the load of such a value began before V was drawn, so its stamp is below V, because the clock only rises. No
// lock, no time to live and no client's clock takes part in that.
//
// # What lies where
//
//	c1:{tenant}:m   hash without time to live: e epoch, c clock, r run id of the server, f clock at which the epoch
//	                began, pe epoch before; and tag (8 bytes) -> version. They are lost together or not at all.
//	c1:{tenant}:d:<class>:<schema>:<scope>:<ref>   entry: header | sealed value          ends after Class.Hard
//	c1:{tenant}:l:<same>                           lease: stamp 8 | epoch 8 | token      ends after Class.Lease
//	c1:{tenant}:w:<same>                           mark: somebody reads this             ends as Want says
//	c1:{tenant}:s:<name>                           shadow: what was last seen of a thing, refs and keyed digests in clear
//	c1:{tenant}:x, c1:{tenant}:b                   log and doorbell, see package events
//
// One hash tag keeps a tenant on one slot, so that every script is atomic in a cluster too. Tags and versions stand
// outside class and schema: an old binary's invalidation reaches a new binary's entries.
//
// The meta hash, and a shadow without Keep, must not be evicted: the Redis must be noeviction or volatile-*.
//
// # Scripts
//
// One file each under lua/, with its contract on top; lua/prelude.lua is put in front. They run alike on Redis from 6.2,
// Valkey and the embedded server, which is why they do their own byte arithmetic. The doorbell is PUBLISH everywhere: the
// embedded server has no SPUBLISH in scripts, and a cluster then tells all its nodes, once per change.
//
//	read        judge, and grant a load or tell who has it      fill    store, or say why not
//	invalidate  versions + shadows + event, or nothing          begin   a stamp for a load that fills many entries
//	release     give a lease back                               sweep   forget old versions
//
// # Epochs
//
// An epoch ends when the meta hash is gone or when another server answers (Options.RunID): a new primary may lack the
// last invalidations. Loads under way are then refused (Epoch). Entries of the epoch before are Suspect as long as nothing
// speaks against them; older ones are Stale; after a loss of everything there are none. A process that still has the old
// run id begins one epoch more than needed, which costs loads and no more.
//
// # Peek
//
// A hit needs no script: Peek sends GET, HMGET and TIME in one pipeline, the versions after the entry. Which versions to
// ask for is a guess until the entry is there, so each process remembers the tags of the entries it has seen (32,768 of
// them) and asks for those. An entry with other tags than remembered costs one further HMGET of all of them, and is
// judged by that. The guess can only cost time. We preferred that to hints from callers: what a board depends on is not
// known before it is read.
//
// # Leases, waiting, failure
//
// Leases limit stampedes and are never trusted for more. A holder whose stamp a later invalidation has overtaken is taken
// over. Load lets one caller of a process lead; the others are given its result only if Fill stored it, and nobody may
// join once that Fill has been sent. A failed load leaves a mark for a second, so that the next caller serves what the
// class allows or is told to come back, instead of asking the source again.
//
// # Sealing
//
// Values are compressed from 1 KiB on, then sealed with the tenant's data key; associated data are the full key and the
// header. So an entry copied to another key, class, scope or tenant, or with one bit of its header changed, does not
// open: it counts as Broken and as a Miss, and the next Read removes it. The content hash in the header is keyed and
// bound to the key: it tells only that the same entry holds the same bytes again.
//
// # Limits
//
// 1 MiB a value, 32 tags an entry, 256 tags and 256 shadows a change, 10 minutes a load, 7 days an entry. A caller beyond
// one of them gets a LimitError and rolls up, or splits.
//
// # What it does not promise
//
// An invalidation that a primary acknowledged and lost by dying is lost until its issuer repeats it; RunID turns that into
// Suspect entries, not into knowledge. And an entry is never newer than what the source said when it was asked.
package cache
