package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/staging"
)

// StagingVerdict binds a test result to exactly what was tested.
type StagingVerdict struct {
	ID          string         `json:"id"`
	Release     string         `json:"release,omitempty"`
	SHA256      string         `json:"sha256"`
	Path        string         `json:"path" doc:"delivery path"`
	Model       string         `json:"model"`
	Hardware    string         `json:"hardware,omitempty"`
	Config      string         `json:"config,omitempty" doc:"class of the configuration of the device that was used"`
	ConfigHas   []string       `json:"configHas,omitempty" doc:"what makes that class"`
	From        string         `json:"from,omitempty" doc:"version that the tested device ran before"`
	Result      string         `json:"result" enum:"passed,failed,not-staged"`
	Why         string         `json:"why"`
	Spare       string         `json:"spare,omitempty" doc:"id of the device that was used"`
	Place       string         `json:"place,omitempty" enum:"spare-device,lab-device,virtual-machine"`
	At          time.Time      `json:"at,omitzero" doc:"absent where nothing was rehearsed"`
	Expires     time.Time      `json:"expires,omitzero"`
	Expired     bool           `json:"expired,omitempty" doc:"it passed and speaks no longer"`
	Checks      []StagingCheck `json:"checks,omitempty"`
	NotMirrored []string       `json:"notMirrored,omitempty" doc:"what of the real world was not there"`
	Reached     []string       `json:"reached,omitempty" doc:"whom the device tried to reach and was kept from"`
	Differences []string       `json:"differences,omitempty" doc:"in what the tested device differs from those for which this is asked"`
}

// StagingCheck is one comparison of a device before and after its update.
type StagingCheck struct {
	Name    string `json:"name"`
	Before  string `json:"before,omitempty"`
	After   string `json:"after,omitempty"`
	Verdict string `json:"verdict" enum:"passed,failed,changed,not-tried"`
	Why     string `json:"why"`
}

func (a *API) verdictOf(v firmward.StagingVerdict) StagingVerdict {
	return StagingVerdict{
		ID: staging.ID(v), Release: v.ReleaseID, SHA256: v.SHA256, Path: v.Path, Model: v.Model, Hardware: v.Hardware, Config: v.Config.Class, ConfigHas: v.Config.Has,
		From: v.From, Result: v.Result, Why: v.Why, Spare: v.SpareID, Place: string(v.Place), At: v.At, Expires: v.Expires,
		Expired: v.Result == staging.Passed && !staging.Speaks(v, a.Control.Clock.Now()),
		Checks:  each(v.Checks, func(c firmward.StagingCheck) StagingCheck { return StagingCheck(c) }), NotMirrored: v.NotMirrored, Reached: v.Reached, Differences: v.Differences,
	}
}

// StagingCover says for how many devices of a rollout one verdict stands.
type StagingCover struct {
	Verdict     string   `json:"verdict,omitempty" doc:"its id; absent when there is none"`
	Result      string   `json:"result" enum:"passed,failed,not-staged,running"`
	Devices     int      `json:"devices"`
	Model       string   `json:"model"`
	Hardware    string   `json:"hardware,omitempty"`
	Version     string   `json:"version,omitempty" doc:"that the devices run"`
	Differences []string `json:"differences,omitempty" doc:"in what the tested device differs from these"`
	Why         string   `json:"why,omitempty"`
}

func coverOf(c firmward.StagingCover) StagingCover { return StagingCover(c) }

// StagingCluster is a group of devices for which one rehearsal speaks.
type StagingCluster struct {
	Model          string         `json:"model"`
	Hardware       string         `json:"hardware,omitempty"`
	Version        string         `json:"version,omitempty"`
	Config         string         `json:"config" doc:"configuration class"`
	ConfigHas      []string       `json:"configHas,omitempty" doc:"what makes that class"`
	Path           string         `json:"path" doc:"delivery path"`
	Count          int            `json:"count" doc:"devices in it"`
	Devices        []string       `json:"devices" doc:"names of the first 100"`
	Representative string         `json:"representative,omitempty" doc:"name of the device on which it is rehearsed; absent when there is none"`
	Place          string         `json:"place,omitempty" enum:"spare-device,lab-device,virtual-machine"`
	Differences    []string       `json:"differences,omitempty" doc:"in what the representative differs from the cluster"`
	Why            string         `json:"why,omitempty" doc:"why there is no representative"`
	Verdict        StagingVerdict `json:"verdict" doc:"what stands for it by now"`
}

const namesShown = 100

func (a *API) clusterOf(c control.Covered) StagingCluster {
	out := StagingCluster{
		Model: c.Model, Hardware: c.Hardware, Version: c.Version, Config: c.Config.Class, ConfigHas: c.Config.Has, Path: c.Path, Count: len(c.Devices), Devices: []string{},
		Why: c.Why, Verdict: a.verdictOf(c.Verdict),
	}
	for _, d := range c.Devices[:min(len(c.Devices), namesShown)] {
		out.Devices = append(out.Devices, d.Name)
	}
	if c.By != nil {
		out.Representative, out.Place, out.Differences = c.By.Device.Name, string(c.By.Place), c.By.Differences
	}
	return out
}

// StagingPlan is how a release would be rehearsed.
type StagingPlan struct {
	Release  string           `json:"release"`
	Clusters []StagingCluster `json:"clusters"`
}

// StagingRun asks for rehearsals of a release.
type StagingRun struct {
	Release string `json:"release"`
	Policy  string `json:"policy,omitempty" doc:"that of the first device that fits when absent"`
	Again   bool   `json:"again,omitempty" doc:"also what has a verdict"`
}

// StagingRunning says how many rehearsals are under way.
type StagingRunning struct {
	Rehearsals int `json:"rehearsals"`
}

func (a *API) stagingRoutes() {
	serve(a, spec{method: http.MethodGet, path: "/staging", id: "list-staging", role: firmward.Viewer, tag: "Staging", summary: "List staging verdicts"},
		func(ctx context.Context, in *struct {
			PageInput
			Release string `query:"release"`
		},
		) (Page[StagingVerdict], error) {
			if in.Release != "" {
				rel, err := a.Store.Release(ctx, in.Release)
				if err != nil {
					return Page[StagingVerdict]{}, err
				}
				l, err := a.Store.StagingsOf(ctx, rel.SHA256)
				return pageOf(l, "", err, a.verdictOf)
			}
			l, next, err := a.Store.AllStagings(ctx, in.page())
			return pageOf(l, next, err, a.verdictOf)
		})
	serve(a, spec{method: http.MethodGet, path: "/staging/{id}", id: "get-staging", role: firmward.Viewer, tag: "Staging", summary: "A staging verdict with its checks"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		},
		) (StagingVerdict, error) {
			v, err := a.Control.StagingByID(ctx, in.ID)
			return a.verdictOf(v), err
		})
	serve(a, spec{
		method: http.MethodGet, path: "/releases/{id}/staging-plan", id: "plan-staging", role: firmward.Viewer, tag: "Staging", summary: "How a release would be rehearsed",
		doc: "The devices that would get it, in clusters of one model, hardware revision, version, configuration class and delivery path; each with its representative, what that differs in, and the verdict that stands. Nothing starts.",
	}, func(ctx context.Context, in *struct {
		ID     string `path:"id"`
		Policy string `query:"policy"`
	},
	) (StagingPlan, error) {
		l, err := a.Control.StagingPlan(ctx, in.ID, in.Policy, firmward.Filter{})
		return StagingPlan{in.ID, list(each(l, a.clusterOf))}, err
	})
	serve(a, spec{
		method: http.MethodPost, path: "/staging", id: "run-staging", role: firmward.Operator, tag: "Staging", summary: "Rehearse a release on its representatives", status: http.StatusAccepted,
		doc: "Without a rollout that waits for it. Spares alone are touched.",
	}, func(ctx context.Context, in *struct{ Body StagingRun }) (StagingRunning, error) {
		n, err := a.Control.Rehearse(ctx, person(ctx), in.Body.Release, in.Body.Policy, in.Body.Again)
		return StagingRunning{n}, err
	})
}
