package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// Person acts through the public API, with a token of her own, like everybody.
type Person struct {
	Name   string
	Client *http.Client
	Base   string // "http://127.0.0.1:8099"
	Token  string
}

// call does one request. in is sent as JSON unless it is an io.Reader; out may be nil. A refusal comes back
// as a *firmward.Error with the API's stable code.
func (p Person) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	contentType := "application/json"
	switch v := in.(type) {
	case nil:
	case *strings.Reader:
		body, contentType = v, "text/csv"
	case io.Reader:
		body, contentType = v, "application/octet-stream"
	default:
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.Base+"/api/v1"+path, body)
	if err != nil {
		return fmt.Errorf("build request: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer "+p.Token)
	res, err := p.Client.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: read answer: %w", method, path, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		if ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w", method, path, ctx.Err()) // the refusal may only say that the request was given up
		}
		var problem struct {
			Code   firmward.Code
			Title  string
			Detail string
		}
		if err := json.Unmarshal(b, &problem); err != nil || problem.Code == "" {
			return fmt.Errorf("%s %s: HTTP status %d", method, path, res.StatusCode)
		}
		return firmward.Errorf(problem.Code, problem.Detail)
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: read answer: %w", method, path, err)
	}
	return nil
}

func (p Person) post(ctx context.Context, path string, in, out any) error {
	return p.call(ctx, http.MethodPost, path, in, out)
}

// release uploads a firmware file with what she says of it.
func (p Person) release(ctx context.Context, r firmward.Release, image []byte) (httpapi.Release, error) {
	q := url.Values{"name": {r.FileName}, "vendor": {r.Vendor}, "version": {r.Version}, "origin": {r.Origin}, "model": r.Models, "hardware": r.Hardware}
	if r.Family != "" {
		q.Set("family", r.Family)
	}
	if r.Channel != "" {
		q.Set("channel", r.Channel)
	}
	var out httpapi.Release
	err := p.post(ctx, "/releases?"+q.Encode(), bytes.NewReader(image), &out)
	return out, err
}

// plan plans a rollout of a release for everybody whom it fits.
func (p Person) plan(ctx context.Context, release string) (httpapi.RolloutDetail, error) {
	var out httpapi.RolloutDetail
	err := p.post(ctx, "/rollouts", httpapi.NewRollout{Release: release}, &out)
	return out, err
}

// steer starts, pauses, resumes or stops a rollout.
func (p Person) forecast(ctx context.Context, release, faults string) (httpapi.Forecast, error) {
	var out httpapi.Forecast
	err := p.post(ctx, "/rollouts/forecast", httpapi.NewForecast{NewRollout: httpapi.NewRollout{Release: release}, Runs: 100, Seed: 1, Faults: faults}, &out)
	return out, err
}

func (p Person) steer(ctx context.Context, id, order, why string) error {
	return p.post(ctx, "/rollouts/"+id+"/"+order, httpapi.Reason{Why: why}, nil)
}

// approve gives her consent to the start of a rollout.
func (p Person) approve(ctx context.Context, id, note string) (httpapi.Rollout, error) {
	var out httpapi.Rollout
	err := p.post(ctx, "/rollouts/"+id+"/approve", httpapi.Consent{Note: note}, &out)
	return out, err
}

// report says that a work order was done.
func (p Person) report(ctx context.Context, id, note string) (httpapi.WorkOrder, error) {
	var out httpapi.WorkOrder
	err := p.post(ctx, "/workorders/"+id+"/report", map[string]string{"note": note}, &out)
	return out, err
}

// contain asks for a device to be cut off.
func (p Person) contain(ctx context.Context, ref, why string) (httpapi.Containment, error) {
	var out httpapi.Containment
	err := p.post(ctx, "/devices/"+url.PathEscape(ref)+"/contain", httpapi.Reason{Why: why}, &out)
	return out, err
}

// free asks for the end of a containment; why is her decision, or empty.
func (p Person) free(ctx context.Context, ref, why string) (httpapi.Containment, error) {
	var out httpapi.Containment
	err := p.post(ctx, "/devices/"+url.PathEscape(ref)+"/release", httpapi.Reason{Why: why}, &out)
	return out, err
}
