package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
)

// vapixErrors are the codes of the firmware management API.
var vapixErrors = map[int]string{
	400: "Bad request", 404: "Not found", 405: "Method not allowed", 409: "Downgrade requires a hard factory default",
	410: "The firmware version is revoked", 412: "The running firmware is not committed", 415: "Invalid firmware file", 417: "Unsupported API version",
	421: "Firmware is for another product", 422: "The firmware has no signature",
	423: "An upgrade is already in progress", 500: "Internal error",
}

func fail(code int) *vapixError { return &vapixError{code, vapixErrors[code]} }

// upgradeParams are the parameters of upgrade and factoryDefault.
type upgradeParams struct {
	FactoryDefaultMode string `json:"factoryDefaultMode"` // none, soft, hard
	AutoCommit         string `json:"autoCommit"`         // never, boot, started, default
	AutoRollback       string `json:"autoRollback"`       // never, minutes, default
}

// rollbackMinutes reads AutoRollback: 0 is never.
func (p upgradeParams) rollbackMinutes() (int, bool) {
	switch p.AutoRollback {
	case "never":
		return 0, true
	case "", "default":
		return defaultRollback, true
	}
	n, err := strconv.Atoi(p.AutoRollback)
	return n, err == nil && n > 0 && n <= 60*24*365
}

func (c *camera) serveFirmware(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength < 0 { // the maker's example and its clients state the length; whether chunks do is not known
		http.Error(w, "Length Required", http.StatusLengthRequired)
		return
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		q, file, err := parseUpgrade(r.Body, params["boundary"])
		if err != nil || q.Method != "upgrade" {
			// The whole body is read before an answer, so that a client that is still sending gets it.
			_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxImage))
			q.answer(w, nil, fail(400))
			return
		}
		c.upgrade(w, r, q, file)
		return
	}
	var q vapixRequest
	if err := decode(r.Body, &q); err != nil {
		q.answer(w, nil, fail(400))
		return
	}
	c.mu.Lock()
	data, bad, then := c.call(q)
	c.mu.Unlock()
	q.answer(w, data, bad)
	if then != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.powered {
			c.after(soon, then)
		}
	}
}

// parseUpgrade reads the JSON part of an upload and returns the following file part, which is still unread.
func parseUpgrade(body io.Reader, boundary string) (q vapixRequest, file io.Reader, err error) {
	if boundary == "" {
		return q, nil, errors.New("parse upload: no boundary")
	}
	parts := multipart.NewReader(body, boundary)
	first, err := parts.NextPart()
	if err != nil {
		return q, nil, fmt.Errorf("parse upload: %w", err)
	}
	if err := decode(first, &q); err != nil {
		return q, nil, fmt.Errorf("parse upload: first part: %w", err)
	}
	second, err := parts.NextPart()
	if err != nil {
		return q, nil, fmt.Errorf("parse upload: no file part: %w", err)
	}
	return q, second, nil
}

// call answers every method but upgrade. What it returns as then is done soon after the answer. It needs mu.
func (c *camera) call(q vapixRequest) (data any, bad *vapixError, then func()) {
	empty := map[string]any{}
	if !q.supported() {
		return nil, fail(417), nil
	}
	switch q.Method {
	case "getSupportedVersions":
		return map[string]any{"apiVersions": []string{"1.4"}}, nil, nil
	case "status":
		return c.firmwareStatus(), nil, nil
	case "upgrade":
		return nil, fail(400), nil // without a file
	case "commit":
		if c.committed {
			return nil, fail(400), nil
		}
		c.commit()
		return empty, nil, nil
	case "stopAuto":
		c.stopTimer()
		c.autoCommit = "never"
		return empty, nil, nil
	case "rollback":
		if c.slots[1-c.active].Version == "" {
			return nil, fail(404), nil
		}
		return map[string]any{"firmwareVersion": c.slots[1-c.active].Version}, nil, c.fallBack
	case "purge":
		if !c.committed {
			return nil, fail(412), nil
		}
		if c.slots[1-c.active].Version == "" {
			return nil, fail(404), nil
		}
		c.slots[1-c.active] = slot{}
		return empty, nil, nil
	case "reboot":
		return empty, nil, func() {
			c.loseUncommitted() // a manual restart before commit goes back
			c.reboot(c.bootTime)
		}
	case "factoryDefault":
		var p upgradeParams
		if json.Unmarshal(q.Params, &p) != nil || p.FactoryDefaultMode != "soft" && p.FactoryDefaultMode != "hard" {
			return nil, fail(400), nil
		}
		return empty, nil, func() {
			c.slots[c.active].defaulted = true
			c.reboot(c.bootTime)
		}
	}
	return nil, fail(405), nil
}

// firmwareStatus needs mu.
func (c *camera) firmwareStatus() map[string]any {
	s := map[string]any{
		"activeFirmwareVersion": c.version(), "activeFirmwarePart": strconv.Itoa(c.active + 1),
		"inactiveFirmwareVersion": c.slots[1-c.active].Version, "isCommited": c.committed,
	}
	if !c.lastUpgrade.IsZero() {
		s["lastUpgradeAt"] = c.lastUpgrade.UTC().Format("2006-01-02T15:04:05Z")
	}
	if !c.committed {
		s["pendingCommit"] = or(c.autoCommit, "never")
		if !c.rollbackAt.IsZero() {
			s["timeToRollback"] = max(int64(c.rollbackAt.Sub(c.clock().Now()).Seconds()), 0)
		}
	}
	return s
}

// supported tells whether the request is for version 1 of the interface, or names none.
func (q vapixRequest) supported() bool {
	return q.APIVersion == "" || strings.HasPrefix(q.APIVersion, "1.")
}

// upgrade takes in the file, writes it to the inactive slot, answers, and reboots.
func (c *camera) upgrade(w http.ResponseWriter, r *http.Request, q vapixRequest, file io.Reader) {
	p := upgradeParams{}
	minutes, good := 0, true
	if len(q.Params) > 0 {
		good = json.Unmarshal(q.Params, &p) == nil
	}
	if good {
		minutes, good = p.rollbackMinutes()
	}
	if p.AutoCommit == "" || p.AutoCommit == "default" {
		p.AutoCommit = "started"
	}
	c.mu.Lock()
	refuse := 0
	switch {
	case !q.supported():
		refuse = 417
	case !good || p.AutoCommit != "never" && p.AutoCommit != "boot" && p.AutoCommit != "started":
		refuse = 400
	case c.busy || c.has(FaultBusy):
		refuse = 423
	case !c.committed:
		refuse = 412
	}
	pretend := refuse == 0 && c.has(FaultAcceptedAndNothing)
	flash, power := -1, c.power
	if refuse == 0 && !pretend {
		c.busy = true
		c.slots[1-c.active] = slot{} // starting an upgrade purges the inactive image
		flash = c.beginFlash(PathPush)
	}
	c.mu.Unlock()

	if flash < 0 {
		img, err := readImage(file)
		if err != nil && !errors.Is(err, errInvalidImage) {
			return
		}
		if pretend {
			q.answer(w, map[string]any{"firmwareVersion": img.Version}, nil)
			return
		}
		q.answer(w, nil, fail(refuse))
		return
	}
	img, err := readImage(file)
	c.mu.Lock()
	outcome, strange := c.judge(flash, img, err, p.FactoryDefaultMode == "hard", c.model, "AXIS "+c.model)
	if outcome != OutcomeWriting {
		c.busy = false
	}
	c.mu.Unlock()
	switch outcome {
	case OutcomeInvalid:
		q.answer(w, nil, fail(415))
		return
	case OutcomeWrongModel:
		q.answer(w, nil, fail(421))
		return
	case OutcomeOlder:
		q.answer(w, nil, fail(409))
		return
	case OutcomeRevoked:
		q.answer(w, nil, fail(410))
		return
	case OutcomeUnsigned:
		q.answer(w, nil, fail(422))
		return
	case OutcomeDownloadFailed:
		q.answer(w, nil, fail(400))
		return
	}
	if !c.write(power, flash, writeTime(img.bytes, cameraWrite)) {
		return
	}
	q.answer(w, map[string]any{"firmwareVersion": img.Version}, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if power.Err() != nil {
		return
	}
	c.after(soon, func() {
		c.lastUpgrade = c.now()
		c.autoCommit, c.autoRollback = p.AutoCommit, minutes
		before := c.active
		c.activate(img, flash, strange)
		c.committed = c.active == before
		if !c.committed {
			c.slots[c.active].defaulted = p.FactoryDefaultMode == "soft" || p.FactoryDefaultMode == "hard"
		}
	})
}
