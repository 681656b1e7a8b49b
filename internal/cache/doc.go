// Package cache keeps each tenant's documents and views in Redis and never reports an outdated one
// as fresh.
//
// # The rule
//
// Each tenant has a clock c that only scripts on the server advance: c becomes max(c+1, TIME in
// µs). A load receives a stamp from it before it begins. A change draws a version from it for each
// of its tags.
//
//	an entry is valid  <=>  it belongs to the current epoch, and no tag of it has a version above its stamp
//
// A reader that starts after an invalidation of tag g with version V has completed never receives a
// value of g from before the change: the load of such a value began before V was drawn, so its
// stamp is below V, because the clock only rises. The proof needs no lock, no time to live and no
// client's clock.
//
// # Keys
//
//	c1:{tenant}:m   hash without time to live: e epoch, c clock, h history (see below), f clock at which the epoch
//	                began, pe previous epoch; and tag (8 bytes) -> version. All of it is lost together or not at all.
//	                r is what earlier releases wrote instead of h.
//	c1:{tenant}:d:<class>:<schema>:-:<ref>   entry: header | sealed value          expires after Class.Hard
//	c1:{tenant}:l:<same>                           lease: stamp 8 | epoch 8 | token      expires after Class.Lease
//	c1:{tenant}:w:<same>                           read mark: the entry is in use        expires as MarkRead states
//	c1:{tenant}:s:<name>                           last-seen record: refs and keyed digests in clear
//	c1:{tenant}:x, c1:{tenant}:b                   event log and notification channel, see package events
//
// One hash tag keeps a tenant on one slot, so every script is atomic in a cluster too. Tags and
// versions do not depend on class or schema: an old binary's invalidation reaches a new binary's
// entries.
//
// The meta hash, and last-seen records without a TTL, must not be evicted: Redis must run with
// noeviction or volatile-*.
//
// # Scripts
//
// Each script is one file under lua/ with its contract at the top; lua/prelude.lua is prepended.
// They behave the same on Redis from 6.2, Valkey and the embedded server, which is why they do
// their own byte arithmetic. Notifications use PUBLISH everywhere: the embedded server has no
// SPUBLISH in scripts, and a cluster therefore notifies all its nodes, once per change.
//
//	read        classify an entry and grant a load, or report that another caller holds the lease
//	fill        store an entry, or return the reason why not
//	invalidate  versions + last-seen records + event, or nothing
//	begin       a stamp for a load that fills many entries
//	release     end a lease
//	sweep       remove old versions
//	versions    read versions in a cluster
//
// # Epochs
//
// An epoch ends when the meta hash is gone or when the history of the data is another one: a
// promoted replica may lack the last invalidations. Loads in progress are then refused (Epoch).
// Entries of the previous epoch are Suspect as long as no version contradicts them; older ones are
// Stale; after a loss of everything there are none.
//
// The history is the primary's replication ID (master_replid of INFO replication). A server draws a
// new one when it starts and when it is promoted, and only the primary that drew it ever has it in
// the role of a primary. Every reply carries the history of the server that sent it: scripts read
// it where they run, and Peek reads it in its pipeline after the versions. No state of a process or
// of a connection takes part, so it does not matter how an address, a proxy, Sentinel or a cluster
// moves clients, or whether connections survive that.
//
// An entry is Fresh by versions that were read before a history H of a primary, and in an epoch
// that began under H. The server had the role from the draw of H until it returned H, hence when it
// returned the versions: they include every invalidation that it has accepted under H. An
// invalidation that another primary accepted came earlier, as long as no two primaries accept
// writes at the same time; it came before H was drawn, and so before the load of any entry of the
// epoch. A replica has its primary's history in another role; its versions make nothing Fresh, and
// it refuses scripts.
//
// A primary also draws a new history when its first replica attaches, and an hour after the last
// one has left. That begins an epoch without need and costs loads.
//
// # Peek
//
// A hit needs no script: Peek sends GET, HMGET, TIME and INFO replication in one pipeline, the
// versions after the entry. INFO takes 1.4 µs of the server's time. In a cluster the script
// versions replaces the last three, because the client sends a command without a key to any node.
// The tags of an entry are unknown until it arrives, so each process remembers the tags of
// entries it has seen (32,768 of them) and asks for those. An entry with other tags than remembered
// costs one more HMGET of all of them, and is classified by that result. A wrong guess costs time
// and nothing else. Callers cannot give better hints: what a board depends on is not known before
// it is read.
//
// # Leases, waiting, failure
//
// Leases only limit stampedes; correctness does not depend on them. If a later invalidation
// overtakes a holder's stamp, the next reader takes the lease over. Load lets one caller of a
// process load. Callers that read the tenant's clock before the load drew its stamp share its
// result in any case; later ones share it only if it was stored, and no caller may join once its
// fill has been sent. A caller stops waiting when the class's lease has passed, and loads itself.
// The callers of a process that wait for a load share its error; the next caller loads again.
//
// # Sealing
//
// Values of more than 1 KiB are compressed, and all are sealed with the tenant's data key; the
// associated data is the full key and the header. An entry that is copied to another key, class or
// tenant, or whose header has one bit changed, therefore does not open. It counts as a Miss, like
// bytes that are no entry at all, and the next load replaces it. A metric counts both, and the log
// gets at most one line a minute. The content hash in the header is keyed and bound to the key: it
// only shows that one entry holds the same bytes again.
//
// # Limits
//
// 1 MiB a value, 32 tags an entry, 256 tags and 256 last-seen records a change, 10 minutes a load,
// 7 days an entry. A caller that exceeds one of them gets a LimitError and must use tags of larger
// things, or split the change.
//
// # What it does not guarantee
//
// If a primary acknowledges an invalidation and dies before it replicates it, the invalidation is
// lost until its issuer repeats it; the affected entries are Suspect. While two primaries accept
// writes, readers of one miss the invalidations of the other; min-replicas-to-write on the servers
// bounds that time. And an entry is never newer than what the source returned when it was asked.
package cache
