// Package notify brings a message to people outside: to a webhook, or to one of the services that shoutrrr speaks (mail, ntfy, …).
//
// A webhook gets one POST of JSON, signed as Standard Webhooks says: the headers webhook-id, webhook-timestamp and
// webhook-signature, "v1," and the base64 of HMAC-SHA-256 over "id.timestamp.body" with the key that the recipient was
// given once. Whoever receives it should refuse a timestamp more than five minutes off and an id that it has seen.
//
// An address holds passwords. It stands in no error: only its scheme and host do.
package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/wire"
)

// Webhook is the kind of an http or https address; every other scheme is shoutrrr's.
const Webhook = "webhook"

// limit ends a delivery.
const limit = 20 * time.Second

const keyPrefix = "whsec_"

// NewKey makes a key for a webhook, as Standard Webhooks writes keys.
func NewKey() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return keyPrefix + base64.StdEncoding.EncodeToString(b)
}

// Check reads an address: its kind and, for people, its host. Invalid when nobody could be reached by it.
func Check(address string) (kind, host string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return "", "", firmward.Errorf(firmward.Invalid, "the address wants a form like https://host/path, smtp://user:password@host:587/?from=a@x&to=b@y or ntfy://host/topic")
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		if u.Host == "" {
			return "", "", firmward.Errorf(firmward.Invalid, "the webhook's address names no host")
		}
		return Webhook, u.Hostname(), nil
	}
	if u.Scheme == "logger" || strings.HasPrefix(u.Scheme, "generic") {
		return "", "", firmward.Errorf(firmward.Invalid, "for a webhook, give its https address")
	}
	if _, err := shoutrrr.CreateSender(address); err != nil {
		return "", "", firmward.Errorf(firmward.Invalid, u.Scheme+" is no service that is known, or its address lacks something: "+without(err.Error(), address))
	}
	return u.Scheme, u.Hostname(), nil
}

// Send delivers a message. key signs a webhook. Unavailable when it did not arrive.
func Send(ctx context.Context, network wire.Network, address, key string, n firmward.Notice) error {
	kind, host, err := Check(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if kind == Webhook {
		err = post(ctx, network, address, key, n)
	} else {
		err = message(ctx, address, n)
	}
	if err != nil {
		return &firmward.Error{Code: firmward.Unavailable, Message: kind + " at " + host, Err: errors.New(without(err.Error(), address))}
	}
	return nil
}

// body is what a webhook gets.
type body struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Urgent bool      `json:"urgent"`
	Title  string    `json:"title"`
	Lines  []string  `json:"lines"`
	Action string    `json:"action"`
}

func post(ctx context.Context, network wire.Network, address, key string, n firmward.Notice) error {
	b, err := json.Marshal(body(n))
	if err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("build request: %w", err)
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	signature, err := sign(key, n.ID, stamp, b)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "firmward",
		"Webhook-Id": n.ID, "Webhook-Timestamp": stamp, "Webhook-Signature": signature,
	} {
		req.Header.Set(name, value)
	}
	res, err := wire.HTTPClient(network, 0).Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("it answered with HTTP status %d", res.StatusCode)
	}
	return nil
}

// sign makes the signature of Standard Webhooks.
func sign(key, id, stamp string, b []byte) (string, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, keyPrefix))
	if err != nil || len(secret) == 0 {
		return "", errors.New("the webhook has no key: add the recipient anew")
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.", id, stamp)
	mac.Write(b)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// Text is a message as people read it.
func Text(n firmward.Notice) string {
	return strings.Join(append(append([]string{}, n.Lines...), "", n.Action), "\n")
}

// message leaves a service that hangs to itself once the time is over: shoutrrr knows no context.
func message(ctx context.Context, address string, n firmward.Notice) error {
	sender, err := shoutrrr.CreateSender(address)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		params := types.Params{types.TitleKey: n.Title}
		done <- errors.Join(sender.Send(Text(n), &params)...)
	}()
	select {
	case <-ctx.Done():
		return errors.New("it did not take the message in time")
	case err := <-done:
		return err
	}
}

// without takes an address and the passwords in it out of a text.
func without(text, address string) string {
	secrets := []string{address}
	if u, err := url.Parse(address); err == nil {
		password, _ := u.User.Password()
		secrets = append(secrets, u.String(), u.RequestURI(), strings.Trim(u.Path, "/"), password, u.User.Username())
		for _, values := range u.Query() {
			secrets = append(secrets, values...)
		}
	}
	for _, s := range secrets {
		if len(s) > 3 {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
