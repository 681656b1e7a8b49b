package codes

// Why the API refuses a request. It also uses [UnknownKind], [InvalidArguments] and [Draining].
var (
	MalformedBody         = define("malformed_body", "the body is malformed")
	MalformedQuery        = define("malformed_query", "the query is malformed")
	InvalidTime           = define("invalid_time", "the time is invalid")
	InvalidIdempotencyKey = define("invalid_idempotency_key", "the idempotency key is invalid")
	InvalidCursor         = define("invalid_cursor", "the cursor is invalid")
	Unauthenticated       = define("unauthenticated", "the API key is missing or unknown")
	NotFound              = define("not_found", "the resource was not found")
	MethodNotAllowed      = define("method_not_allowed", "the method is not allowed")
	BodyTooSlow           = define("body_too_slow", "the body took too long")
	IdempotencyKeyReused  = define("idempotency_key_reused", "the idempotency key was used for another request")
	BodyTooLarge          = define("body_too_large", "the body is too large")
	URLTooLong            = define("url_too_long", "the URL is too long")
	UnsupportedMediaType  = define("unsupported_media_type", "the body is not plain JSON")
	TooManyRequests       = define("too_many_requests", "there are too many requests")
	TooManyStreams        = define("too_many_streams", "there are too many streams")
	Internal              = define("internal", "an internal error occurred")
	Cold                  = define("cold", "the data is not cached yet")
	Unavailable           = define("unavailable", "a service that the request needs does not answer")
)
