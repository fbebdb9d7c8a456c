package report_test

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/control/controltest"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/policy"
	"github.com/firmward/firmward/report"
	"github.com/firmward/firmward/store"
)

var (
	anna = firmward.Person{Name: "anna", Role: firmward.Admin}
	ben  = firmward.Person{Name: "ben", Role: firmward.Approver}
)

// cameraPassword is entered in this house and must be in no report.
const cameraPassword = "correct-horse-battery"

const quick = `
rollout-policies:
  - name: quick
    waves: [100]
    canary-soak: 1m
    wave-soak: 1m
    max-in-flight: 3
    canary-in-flight: 2
    failure-budget-percent: 50
    failure-floor: 5
    approvals: 1
    deadline: 120m
    commit-within: 80m
    window: always
    require-owner: false
risk-policies:
  - {name: r, exploited-and-exposed: 1d, exploited: 1d, critical: 1d, high: 1d, other: 14d, contain-within: 1d, replace-within: 300d, look-every: 30d}
`

// house is a small practice after a month with firmward: a camera was updated by an approved rollout, a storage box that
// nobody mends waits to be cut off, a risk was accepted.
type house struct {
	*control.Control
	camera, nas string // device ids
	rollout     string
	early       []byte // a checkpoint that was kept outside before the rollout
}

// inHouse runs f with a house, in a synctest bubble.
func inHouse(t *testing.T, f func(*testing.T, house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := open(t)
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		h.live(t)
		f(t, h)
	})
}

// TestHouse lets one house live and looks at it from all sides; what changes it comes last.
func TestHouse(t *testing.T) {
	inHouse(t, func(t *testing.T, h house) {
		for _, look := range []func(*testing.T, house){monthly, answers, evidenceFile, resealed, outside, sameWork, factWithoutLeaf} {
			look(t, h)
		}
	})
}

func open(t *testing.T) house {
	t.Helper()
	pol, err := policy.Parse([]byte(quick), "quick.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return house{Control: controltest.Open(t, func(c *control.Config) {
		l := lab.New(lab.Options{})
		t.Cleanup(func() { l.Close() })
		if _, err := l.AddCamera(lab.CameraSpec{Place: lab.Place{Name: "door", Addr: netip.MustParseAddr("192.168.20.11")}, Password: cameraPassword}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.AddNAS(lab.NASSpec{Place: lab.Place{Name: "nas", Addr: netip.MustParseAddr("192.168.20.12")}}); err != nil {
			t.Fatal(err)
		}
		c.Network, c.Lab, c.Policies = l.Attach("home"), true, pol
	})}
}

func (h *house) live(t *testing.T) {
	t.Helper()
	ctx, few := t.Context(), netip.MustParsePrefix("192.168.20.8/29")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	controltest.Starter(t, h.Control)
	_, err := h.NameNetwork(ctx, anna, control.AddNetwork{Prefix: few, Site: "home", Profile: firmward.ProfileHome})
	must(err)
	h.scan(t, few)
	must(h.SetCredential(ctx, anna, control.Credential{Device: "192.168.20.11", User: "root", Password: cameraPassword}))
	h.scan(t, few)
	find := func(ref string) firmward.Device {
		d, err := h.Find(ctx, ref)
		must(err)
		return d
	}
	camera := find("192.168.20.11")
	h.camera, h.nas = camera.ID, find("192.168.20.12").ID
	h.early = h.checkpoint(t)
	time.Sleep(40 * 24 * time.Hour)
	rel, err := h.ImportRelease(ctx, anna, firmward.Release{
		Family: "axis", Vendor: "Axis", Models: []string{camera.Model}, Hardware: []string{camera.Hardware}, Version: "10.12.236", FileName: "cam.bin", Origin: "test",
	}, bytes.NewReader(lab.CameraImage("10.12.236")))
	must(err)
	p, err := h.PlanRollout(ctx, anna, rel.ID, "quick", firmward.Filter{})
	must(err)
	h.rollout = p.Rollout.ID
	_, err = h.SteerRollout(ctx, anna, h.rollout, "start", "")
	must(err)
	_, err = h.ApproveRollout(ctx, ben, h.rollout, 0, "looks good")
	must(err)
	for range 48 {
		time.Sleep(time.Hour)
		if r, err := h.Store.Rollout(ctx, h.rollout); err != nil || r.State == firmward.RolloutFinished {
			break
		}
	}
	if now := find(h.camera); now.Firmware != "10.12.236" {
		r, _ := h.Store.Rollout(ctx, h.rollout)
		g, _ := h.Store.Target(ctx, h.rollout, h.camera)
		t.Fatalf("the camera runs %q: %+v %+v", now.Firmware, r, g)
	}
	exc, err := h.AcceptRisk(ctx, ben, firmward.Exception{Advisory: "CVE-2024-3272", Reason: "in a drawer", Expires: h.Clock.Now().Add(90 * 24 * time.Hour)}, h.nas)
	must(err)
	if _, err := h.ApproveException(ctx, ben, exc.ID, ""); firmward.CodeOf(err) != firmward.Refused {
		t.Fatalf("its author approved an exception: %v", err)
	}
	_, err = h.ApproveException(ctx, anna, exc.ID, "agreed")
	must(err)
	_, err = h.Contain(ctx, anna, h.nas, "nobody mends it")
	must(err)
	synctest.Wait()
}

func (h *house) scan(t *testing.T, prefix netip.Prefix) {
	t.Helper()
	s, err := h.StartScan(t.Context(), anna, prefix)
	for err == nil && s.Ended.IsZero() {
		time.Sleep(time.Second)
		s, err = h.ScanByID(s.ID)
	}
	if err != nil || s.Error != "" {
		t.Fatal(s.Error, err)
	}
	synctest.Wait()
}

// checkpoint is the newest one, as a person keeps it outside.
func (h *house) checkpoint(t *testing.T) []byte {
	t.Helper()
	if err := h.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	points, err := h.Store.Checkpoints(t.Context(), 1)
	if err != nil || len(points) != 1 {
		t.Fatal(points, err)
	}
	return points[0].Note
}

// evidence writes an evidence file.
func (h *house) evidence(t *testing.T, ref string, earlier int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.Evidence(t.Context(), h.Control, anna, ref, earlier, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// forgeApproval writes an approval into the database that nobody gave.
func (h *house) forgeApproval(t *testing.T) {
	t.Helper()
	err := h.Store.Tx(t.Context(), func(tx *store.Tx) error {
		r, err := tx.Rollout(t.Context(), h.rollout)
		if err != nil {
			return err
		}
		r.Approvals = append(r.Approvals, firmward.Approval{Actor: "mallory", At: h.Clock.Now()})
		_, err = tx.PutRollout(t.Context(), r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
