package monitor

// reasons say what the codes mean for which tasks wait. Whatever is not in it is an error that was tried again.
var reasons = map[string]string{
	"":                  "a free worker",
	"pace":              "the account's budget for the operation is spent for now",
	"blocked":           "the vendor throttled the operation a moment ago",
	"breaker":           "a breaker is open",
	"inflight":          "the tenant has as many calls under way as it may",
	"redis":             "the budget could not be asked",
	"draining":          "its worker was told to stop",
	"canceled":          "somebody cancelled it",
	"queue_unavailable": "Redis did not answer",
	"bury_failed":       "it is dead, and the ledger did not take its letter",
	"newer_version":     "a newer worker has to take it",
	"lease_expired":     "its worker vanished",
	"timeout":           "it took too long and is tried again",
	"hidden":            "an error whose text is not shown",
}

func why(code string) string {
	if text, ok := reasons[code]; ok {
		return text
	}
	return "it failed and is tried again"
}
