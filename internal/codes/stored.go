package codes

// Why a stored value cannot be used. It counts as missing and is replaced.
var (
	ValueForeign   = define("value_foreign", "a value in the cache's Redis is not one that this program writes, or is cut short; find out what else writes there")
	SealBroken     = define("seal_broken", "a stored value does not open: it was changed, moved to another key or tenant, or sealed with a key that is gone; find out what else writes to the store")
	ValueMalformed = define("value_malformed", "a stored value opens but cannot be decoded; another release wrote it")
)
