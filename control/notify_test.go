package control_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/lab"
)

// hook is a webhook on the lab's network.
type hook struct {
	mu     sync.Mutex
	status int
	got    []said
}

type said struct {
	ID, Title, Action string
	Lines             []string
	Urgent            bool
	At                time.Time
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var s said
	_ = json.NewDecoder(r.Body).Decode(&s)
	s.At = time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, s)
	if h.status != 0 {
		w.WriteHeader(h.status)
	}
}

func (h *hook) take() []said {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.got
	h.got = nil
	return got
}

func (h *hook) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

// listen serves a webhook at firmward's own address.
func listen(t *testing.T, l *lab.Lab) *hook {
	t.Helper()
	ln, err := l.Attach("home").Listen(t.Context(), "tcp", ":9000")
	if err != nil {
		t.Fatal(err)
	}
	h := &hook{}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return h
}

const hookAddress = "http://192.168.20.2:9000/hook?token=do-not-tell"

// TestNotices: a rollout stops itself, and people are told at once, once; everything else waits for the morning; what could not
// be told is told later with the same id.
func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFaultStory(t, "testdata/faults/old-version-back.txt")
		h := listen(t, s.lab)
		s.device([]string{"plug", "p1"})
		s.device([]string{"plug", "p2"})
		s.settle()
		r, key, err := s.house.AddRecipient(s.house.ctx, anna, control.AddRecipient{Name: "ops", Address: hookAddress, Urgent: true})
		if err != nil || !strings.HasPrefix(key, "whsec_") || r.Host != "192.168.20.2" || r.NextDigest.Hour() != 8 {
			t.Fatalf("%+v, %v", r, err)
		}
		if _, _, err := s.house.AddRecipient(s.house.ctx, anna, control.AddRecipient{Name: "ops", Address: hookAddress}); firmward.CodeOf(err) != firmward.Conflict {
			t.Errorf("twice: %v", err)
		}
		h.answer(http.StatusInternalServerError)
		s.act([]string{"fault", "p1", "old-version-back"})
		s.release([]string{"release", "p1", "1.4.4"})
		s.start()
		s.until("ended")
		time.Sleep(time.Minute / 2)
		failed := h.take()
		if len(failed) < 2 || !failed[0].Urgent || failed[1].ID != failed[0].ID {
			t.Fatalf("told %+v", failed)
		}
		if r, err = s.house.Store.Recipient(s.house.ctx, "ops"); err != nil || r.Failures != len(failed) || r.LastError == "" || strings.Contains(r.LastError, "do-not-tell") {
			t.Errorf("%+v, %v", r, err)
		}
		h.answer(0)
		time.Sleep(10 * time.Minute)
		told := h.take()
		if len(told) != 1 || told[0].ID != failed[0].ID || !strings.Contains(told[0].Title, "stopped itself") || strings.Contains(strings.Join(told[0].Lines, " "), "1.4.4") {
			t.Errorf("told %+v, before %+v", told, failed)
		}
		time.Sleep(24 * time.Hour)
		told = h.take()
		if len(told) != 1 || told[0].Urgent || told[0].At.UTC().Hour() != 8 || !strings.Contains(told[0].Title, "a decision is waited for") {
			t.Errorf("the digest: %+v", told)
		}
		if got := s.house.leaves("notice-send"); len(got) != 3 { // failed, sent, digest
			t.Errorf("%+v", got)
		}
		if err := s.house.RemoveRecipient(s.house.ctx, anna, "ops"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		if told = h.take(); len(told) != 0 {
			t.Errorf("told after its removal: %+v", told)
		}
	})
}

// TestTryRecipient: a try tells whether it arrives, and what is wrong with an address is said without it.
func TestTryRecipient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFaultStory(t, "")
		h := listen(t, s.lab)
		s.device([]string{"plug", "p1"})
		s.settle()
		if _, _, err := s.house.AddRecipient(s.house.ctx, anna, control.AddRecipient{Name: "ops", Address: hookAddress, Digest: firmward.DigestOff, Details: true}); err != nil {
			t.Fatal(err)
		}
		if n, err := s.house.TryRecipient(s.house.ctx, anna, "ops"); err != nil || len(h.take()) != 1 || n.Action == "" {
			t.Errorf("%+v, %v", n, err)
		}
		h.answer(http.StatusForbidden)
		if _, err := s.house.TryRecipient(s.house.ctx, anna, "ops"); firmward.CodeOf(err) != firmward.Unavailable || !strings.Contains(err.Error(), "403") || strings.Contains(err.Error(), "do-not-tell") {
			t.Errorf("%v", err)
		}
		for _, bad := range []control.AddRecipient{
			{Name: "x", Address: "nowhere"}, {Name: "", Address: hookAddress}, {Name: "x", Address: hookAddress, Zone: "Mars/Phobos"}, {Name: "x", Address: hookAddress, Hour: new(24)},
		} {
			if _, _, err := s.house.AddRecipient(s.house.ctx, anna, bad); firmward.CodeOf(err) != firmward.Invalid || strings.Contains(err.Error(), "do-not-tell") {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}
