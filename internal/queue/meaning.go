package queue

import (
	"maps"
	"slices"
)

// meanings says in words why a task waits or died. Codes are made where the
// errors are: here, in tasks, and in the packages of the work.
var meanings = map[string]string{
	"":                  "it waits for a free worker",
	CodeHidden:          "it failed with a text that is not shown",
	"error":             "it failed in a way that has no code of its own",
	"panic":             "the program failed at it; the worker's log has the place",
	"timeout":           "an attempt took longer than it may",
	"exhausted":         "its last attempt hung, and it may make no more",
	"draining":          "its worker was told to stop",
	"canceled":          "its attempt was cut off",
	"lease_expired":     "its worker was lost",
	"conflict":          "what it was about changed meanwhile",
	"queue_unavailable": "Redis did not answer",
	"bury_failed":       "it is dead, and the ledger does not answer to say so",
	"superseded":        "another task does the same, later",
	"unknown_kind":      "no worker knows its kind",
	"malformed_id":      "its ID is not one of ours",
	"malformed_headers": "its headers are not ours",
	"newer_version":     "it was made by a newer release: workers of that release take it",
	"too_large":         "its payload is larger than any of ours",
	"does_not_open":     "no key of the workers' keyset opens it",
	"malformed_payload": "its payload is not what its kind takes",
	"invalid_arguments": "it asks for something that cannot be",
	"unknown_tenant":    "the ledger does not know its tenant",
	"unknown_practice":  "its tenant has no such practice",
	"invalid":           "the ledger cannot keep what it was given",
	"unknown_zone":      "its tenant's time zone is not known on that host",
	"permanent":         "the same would fail the same way again",
	"purged":            "an operator removed it",

	"practice_not_listed": "the vendor lists no practice of that number for its tenant",
	"practice_renamed":    "the vendor knows the practice by another name than the tenant's settings",

	"credentials_do_not_open": "its tenant's credentials were sealed with another keyset",

	"pace":                   "its account's budget at the vendor is spent for now",
	"blocked":                "the vendor throttled the operation a moment ago",
	"breaker":                "the vendor, or its tenant's login there, does not work at the moment",
	"inflight":               "its tenant has as many calls under way as it may",
	"redis":                  "the budget cannot be asked",
	"vendor_throttled":       "the vendor asks for longer pauses",
	"vendor_unauthenticated": "the vendor does not accept the tenant's login",
	"vendor_denied":          "the tenant's login may not do this at the vendor",
	"vendor_invalid":         "the vendor refuses the request as it stands",
	"vendor_not_found":       "the vendor has no such record",
	"vendor_conflict":        "the record at the vendor is not in the state that it needs",
	"vendor_unavailable":     "the vendor is down, or the way to it",
	"vendor_timeout":         "the vendor did not answer in time",
	"vendor_malformed":       "the vendor's answer is not one",
	"vendor_list_partial":    "the vendor cut a list that is needed whole",
	"vendor_unknown":         "the vendor says no in words that are not known here",
}

// Meaning says in words what a code means; empty for one that is not known
// here. The empty code is that of a task that merely waits its turn.
func Meaning(code string) string {
	return meanings[code]
}

// Codes lists the codes that have a meaning, in order.
func Codes() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(meanings)), func(c string) bool { return c == "" })
}
