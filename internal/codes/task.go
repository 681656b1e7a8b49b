package codes

// What happened to a task or its attempt. Package tasks decides most of these.
var (
	Error              = task("error", "it failed with an error that carries no code")
	Permanent          = task("permanent", "it failed, and another attempt would fail the same way")
	Later              = task("later", "it was postponed without a reason that can be shown")
	Panic              = task("panic", "its handler panicked; the worker's log has the stack")
	Timeout            = task("timeout", "an attempt exceeded its time limit")
	Exhausted          = task("exhausted", "its last attempt hung, and no attempts are left")
	Draining           = task("draining", "the process is shutting down")
	Canceled           = task("canceled", "its attempt was canceled")
	CanceledByOperator = task("cancelled", "an operator canceled it")
	Crashed            = task("crashed", "its worker's process ended three times while it ran, the last time alone in quarantine")
	LeaseExpired       = task("lease_expired", "its worker disappeared during an attempt")
	BuryFailed         = task("bury_failed", "it is dead, but the ledger cannot record that yet")
	Superseded         = task("superseded", "a later task does the same work")
	Archived           = task("archived", "an operator archived it")
	Purged             = task("purged", "an operator removed it")
	Hidden             = task("hidden", "it failed with an error text that is not shown")
)

// Why the work of a task was not needed any more when it ran.
var (
	Expired   = task("expired", "its work was not needed any more")
	DayOver   = task("day_over", "the day that it is about is over at its practice")
	Overtaken = task("overtaken", "what it asks for was read from the vendor after it was demanded")
)

// Which of our own stores was unavailable. The task runs soon after the store is back, and no
// attempt counts.
var (
	QueueUnavailable  = task("queue_unavailable", "the queue's Redis did not answer")
	QueueFull         = task("queue_full", "the queue's Redis has no memory left and refuses writes; give it more, or remove tasks")
	QueueReadOnly     = task("queue_read_only", "the queue's Redis accepts no writes, as a replica does; point ROUNDS_QUEUE_REDIS at the primary")
	CacheUnavailable  = task("cache_unavailable", "the cache's Redis did not answer")
	CacheFull         = task("cache_full", "the cache's Redis has no memory left and refuses writes; give it more, or let it evict keys that expire (volatile-*)")
	CacheReadOnly     = task("cache_read_only", "the cache's Redis accepts no writes, as a replica does; point ROUNDS_CACHE_REDIS at the primary")
	LedgerUnavailable = task("ledger_unavailable", "the ledger did not answer")
	LedgerFull        = task("ledger_full", "the ledger's disk is full")
	LedgerReadOnly    = task("ledger_read_only", "the ledger accepts no writes, as a standby does; point ROUNDS_LEDGER at the primary")
)

// ChangesWaiting is why views are stale after one of our stores was unavailable.
var ChangesWaiting = define("changes_waiting", "changes that were reported while one of our stores was unavailable have not been applied yet")

// Why a worker refuses to run a task.
var (
	UnknownKind      = task("unknown_kind", "the kind of task is unknown")
	MalformedID      = task("malformed_id", "its ID is not spelled as task IDs are")
	MalformedHeaders = task("malformed_headers", "its headers are missing or malformed")
	NewerVersion     = task("newer_version", "a newer release created it; only workers of that release can run it")
	TooLarge         = task("too_large", "its payload is larger than any valid one")
	UnknownKey       = task("unknown_key", "it was sealed with a key that is not in the worker's keyset; add that key to the keyset of every process before one seals with it")
	DoesNotOpen      = task("does_not_open", "it does not open with the key that it names: it was changed or moved")
	MalformedPayload = task("malformed_payload", "its payload does not have the form that its kind takes")
	InvalidArguments = task("invalid_arguments", "the arguments are invalid for the kind")
)

// Why a replay would let a task die again, besides the codes of workers.
var (
	PayloadLost = define("payload_lost", "neither the ledger nor the queue has its payload; resolve it, and demand the work again")
	TooOld      = define("too_old", "its demand is older than a day, so the next outage of the vendor ends it; a later demand has probably done the work")
)

// What the work of a task ran into on our side.
var (
	TooMuchData          = task("too_much_data", "the vendor's answer about a day or a record is more than the cache holds, such as a day of thousands of visits; look at the schedule at the vendor")
	Conflict             = task("conflict", "the data it read changed before it could apply the answer")
	UnknownTenant        = task("unknown_tenant", "its tenant is not in the ledger")
	UnknownPractice      = task("unknown_practice", "its tenant has no such practice")
	UnknownZone          = task("unknown_zone", "the time zone of its practice is unknown on the worker's host")
	CredentialsDoNotOpen = task("credentials_do_not_open", "the credentials of its tenant were sealed with another keyset")
	PracticeNotListed    = task("practice_not_listed", "the vendor lists no practice with this number for its tenant; what is known of it stays and is called stale. Correct the number in the tenants' file, or give the login access at the vendor")
	PracticeRenamed      = task("practice_renamed", "the vendor's name for the practice differs from the tenant's settings; the vendor's is used. Correct the name in the tenants' file")
	Invalid              = task("invalid", "the ledger refuses a value it was given")
)

// Why flow control does not let a vendor call through yet.
var (
	Pace        = task("pace", "its account has used its call budget at the vendor for now")
	Blocked     = task("blocked", "the vendor throttled the operation a moment ago")
	Breaker     = task("breaker", "the vendor, or its tenant's login there, is failing at the moment")
	InFlight    = task("inflight", "its tenant has reached its limit of concurrent vendor calls")
	Booked      = task("booked", "it has its place in its account's call budget at the vendor at that time")
	Redis       = task("redis", "flow control cannot reach its Redis")
	RetryBudget = task("retry_budget", "too many recent calls of the operation have failed, and their retries are spread over time")
)

// Why a task waits, besides the codes that it has itself. See package explain.
var (
	LanePaused       = define("lane_paused", "an operator has paused its lane")
	NoWorker         = define("no_worker", "no running worker serves its lane")
	Quarantined      = define("quarantined", "it has ended its worker's process twice, and runs alone: one task of the fleet at a time")
	EqualRuns        = define("equal_runs", "an equal task runs, and it begins when that one has ended")
	DemandedForLater = define("demanded_for_later", "it was demanded for a later time")
	NoFreeWorker     = define("no_free_worker", "it can run, and workers take other tasks first")
)

// How a vendor call failed.
var (
	VendorThrottled       = task("vendor_throttled", "the vendor asks for longer pauses between calls")
	VendorUnauthenticated = task("vendor_unauthenticated", "the vendor does not accept the tenant's login")
	VendorLocked          = task("vendor_locked", "the vendor has locked the tenant's login for now; unlock it at the vendor, and look for what uses a wrong password")
	VendorDenied          = task("vendor_denied", "the tenant's login lacks a permission at the vendor")
	VendorInvalid         = task("vendor_invalid", "the vendor refuses the request as it stands")
	VendorNotFound        = task("vendor_not_found", "the vendor has no such record")
	VendorMerged          = task("vendor_merged", "the vendor has merged the patient with another one; the days of the patient's visits are read again")
	VendorConflict        = task("vendor_conflict", "the record at the vendor is not in the state that the change needs")
	VendorUnavailable     = task("vendor_unavailable", "the vendor cannot be reached")
	VendorTimeout         = task("vendor_timeout", "the vendor did not answer in time")
	VendorCanceled        = task("vendor_canceled", "the vendor call was canceled")
	VendorMalformed       = task("vendor_malformed", "the vendor's answer cannot be read")
	VendorListPartial     = task("vendor_list_partial", "the vendor cut short a list that is needed in full")
	VendorUnknown         = task("vendor_unknown", "the vendor reported an error that this release does not recognize")
)

// What operators are alerted of besides the codes above. No task waits or dies with these.
var (
	PracticeDenied = define("practice_denied", "the tenant's login may not read the practice; what is known of it stays and is called stale. Give the login access at the vendor, or remove the practice from the tenant's settings")

	PatientsCut = define("patients_cut", "the vendor's list of all patients ends with a full page without the key of the next one, whatever the page's size; further patients were not read, and their records stay as they are until the vendor lists them as changed. Report it to the vendor")

	PracticeNameUnreadable = define("practice_name_unreadable", "the practice's name in the vendor's list of practices has characters that cannot be read, so nothing confirms the name that is in use, and no empty list counts. Write the name again at the vendor")

	PracticesUnreadable = define("practices_unreadable", "rows of the vendor's list of practices cannot be read; what is known of these practices stays. Correct the records at the vendor")
	ProvidersUnreadable = define("providers_unreadable", "rows of the vendor's list of the practice's providers cannot be read, or belong to a practice that is not known; what is known of the practice's providers stays. Correct the records at the vendor")
	LocationsUnreadable = define("locations_unreadable", "rows of the vendor's list of the practice's places cannot be read, or belong to a practice that is not known; what is known of the practice's places stays. Correct the records at the vendor")
	PatientsUnreadable  = define("patients_unreadable", "rows of the vendor's list of changed patients cannot be read, or belong to a practice that is not known; any record may be theirs, so the list confirms none, and its days are read again for up to eight days. All patients were requested once for that reason. Correct the records at the vendor")
	SweepUnreadable     = define("sweep_unreadable", "rows of the vendor's list of all patients cannot be read; their records stay as they are, and the list counts as incomplete. Correct the records at the vendor")

	ZoneDiffers = define("zone_differs", "the practice has places at the vendor where the clocks show another time than in its time zone; times on its boards may be wrong. Correct its timezone in the tenants' file")

	AlertsCut = define("alerts_cut", "there are more alerts than the ledger keeps for the tenant")
)
