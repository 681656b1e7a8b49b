package practice

// Writes to the cache and builds of views have spans of their own. Reads are only counted, because
// a span for each of a board's reads would cost more than the read.

// failed is the code of a span. The caller that handles the error logs the cause.
func failed(err error) string {
	if err != nil {
		return "cache"
	}
	return ""
}
