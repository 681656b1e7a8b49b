// Command asynq enqueues one task through asynq.Client, with what tasks.Client adds to it: a sealed
// payload (Tink) and the trace in the task's headers (OpenTelemetry's API).
package main

import (
	"context"
	"log"
	"os"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

func main() {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(strings.NewReader(os.Args[2])))
	if err != nil {
		log.Fatal(err)
	}
	sealer, err := aead.New(handle)
	if err != nil {
		log.Fatal(err)
	}
	tracer := noop.NewTracerProvider().Tracer("enqueuer")
	ctx, span := tracer.Start(context.Background(), "task.enqueue", trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	headers := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, headers)
	payload, err := sealer.Encrypt([]byte(`{}`), []byte("clinic-a"))
	if err != nil {
		log.Fatal(err)
	}
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: os.Args[1]})
	if _, err := client.EnqueueContext(ctx, asynq.NewTaskWithHeaders("practice.sync", payload, headers)); err != nil {
		log.Fatal(err)
	}
}
