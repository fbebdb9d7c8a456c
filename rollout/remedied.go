package rollout

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/firmward/firmward"
)

// StillOpen is the code of a target that succeeded, and on which something is open that the release was to close: it is updated, not remedied.
const StillOpen = "still-open"

// verified ends a target that runs the wanted version and works as before. What is still open then is no failure of the update, but its wave does
// not show what it should (unsure).
func (in *Input) verified(why string) {
	code := ""
	in.Target.State = firmward.TargetSucceeded
	if in.Target.StillOpen = in.Event.Seen.StillOpen; len(in.Target.StillOpen) > 0 {
		code = StillOpen
		in.Rollout.StillOpen++
	}
	in.end(firmward.TargetSucceeded, code, why+in.unasked()+in.remedied())
}

// reassessed takes in what a later look found still open: sources may have learned more meanwhile, in either direction. A device that ran the
// version before anything was sent is not asked.
func (in *Input) reassessed() {
	t, r := in.Target, in.Rollout
	if len(t.Closes) == 0 || t.Code != "" && t.Code != StillOpen {
		return
	}
	in.forget()
	if t.StillOpen = in.Event.Seen.StillOpen; len(t.StillOpen) > 0 {
		t.Code = StillOpen
		r.StillOpen++
	}
}

// forget takes a target off those that are not remedied.
func (in *Input) forget() {
	if in.Target.Code == StillOpen {
		in.Target.Code = ""
		in.Rollout.StillOpen--
	}
}

// remedied says what became of what the release was to close, or "" where that was nothing.
func (in *Input) remedied() string {
	t := in.Target
	if len(t.Closes) == 0 {
		return ""
	}
	out := ""
	if closed := t.Closed(); len(closed) > 0 {
		out = "; closed: " + names(closed)
	}
	if len(t.StillOpen) > 0 {
		out += "; still open: " + names(t.StillOpen)
	}
	return out
}

// namesShown is how many names a sentence holds; the whole list stands beside it.
const namesShown = 3

func names(list []string) string {
	if n := len(list) - namesShown; n > 1 {
		return strings.Join(list[:namesShown], ", ") + " and " + strconv.Itoa(n) + " more"
	}
	return strings.Join(list, ", ")
}

// unremedied says that the open wave has devices on which the release did not close what it should, or "".
func unremedied(r *firmward.Rollout) string {
	if r.StillOpen == 0 {
		return ""
	}
	return fmt.Sprintf("on %s of %s that %s the release something is still open that it should have closed", devices(r.StillOpen), waveName(r.Wave), plural(r.StillOpen, "runs", "run"))
}
