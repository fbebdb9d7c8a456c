package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/firmward/firmward/httpapi"
)

// slow is a context that tells of its end only after something else happened.
type slow struct {
	context.Context
	after <-chan struct{}
}

func (c slow) Done() <-chan struct{} {
	<-c.after
	return c.Context.Done()
}

// TestInProcessGivenUp: what a handler says after its request was given up is no answer, also where both are there at once.
func TestInProcessGivenUp(t *testing.T) {
	for range 20 { // a select among two ready cases takes either
		ctx, cancel := context.WithCancel(t.Context())
		said := make(chan struct{})
		req, err := http.NewRequestWithContext(slow{ctx, said}, http.MethodGet, "http://localhost/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := httpapi.InProcess{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			cancel()
			w.WriteHeader(http.StatusServiceUnavailable)
			close(said)
		})}.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
			t.Fatalf("answered %d", resp.StatusCode)
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}
