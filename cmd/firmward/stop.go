package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/firmward/firmward/httpapi"
)

// StopCmd is the red button.
type StopCmd struct {
	All bool   `help:"Everything, everywhere." required:""`
	End bool   `help:"Release the button."`
	Why string `help:"Why." placeholder:"WHY"`
}

// Help gives examples.
func (StopCmd) Help() string {
	return "Nothing new starts. What is under way is watched to its end: an interrupted device is the worst outcome.\n\n" +
		examples("firmward stop --all --why 'ward is full'", "firmward stop --all --end")
}

// Run carries it out.
func (c *StopCmd) Run(ctx context.Context, a *app) error {
	var s httpapi.StopAll
	r := call{method: http.MethodPost, path: "/stop-all", in: httpapi.Reason{Why: c.Why}, out: &s}
	if c.End {
		r = call{method: http.MethodDelete, path: "/stop-all", out: &s}
	}
	if err := a.client.do(ctx, r); err != nil {
		return err
	}
	text := fmt.Sprintf("The button is released by %s.", s.By)
	if s.On {
		text = fmt.Sprintf("Stopped by %s at %s: nothing new starts until 'firmward stop --all --end'.", s.By, when(s.At))
	}
	return a.say(s, text)
}
