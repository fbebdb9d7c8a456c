package main

import (
	"context"
	"fmt"
	"os"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/audit"
	"github.com/firmward/firmward/httpapi"
)

// AuditCmd is about the proof of what happened.
type AuditCmd struct {
	Export AuditExportCmd `cmd:"" help:"Write the whole audit log as one file."`
	Verify AuditVerifyCmd `cmd:"" help:"Verify such a file. Needs no server, database or network."`

	Checkpoint AuditCheckpointCmd `cmd:"" help:"Show the newest checkpoint, to be kept outside."`
}

// AuditExportCmd exports the log.
type AuditExportCmd struct {
	File string `arg:"" optional:"" help:"File to write; the output unless given."`
}

// Help gives examples.
func (AuditExportCmd) Help() string {
	return examples("firmward audit export audit.jsonl", "firmward audit export | gzip > audit.jsonl.gz")
}

// Run carries it out.
func (c *AuditExportCmd) Run(ctx context.Context, a *app) error {
	if c.File == "" {
		return a.client.get(ctx, "/audit/bundle", nil, a.out)
	}
	return newFile(c.File, func(f *os.File) error { return a.client.get(ctx, "/audit/bundle", nil, f) })
}

// AuditVerifyCmd verifies a bundle.
type AuditVerifyCmd struct {
	File    string   `arg:"" type:"existingfile" help:"Exported log."`
	Earlier []string `help:"Checkpoint that was kept outside; may be repeated." type:"existingfile" placeholder:"FILE" sep:"none"`
	Key     string   `help:"Public key known from elsewhere." placeholder:"KEY"`
}

// Help gives examples.
func (AuditVerifyCmd) Help() string {
	return "With a checkpoint that was kept outside, a history that was written anew is found out even when it was signed with the right key.\n\n" +
		examples("firmward audit verify audit.jsonl", "firmward audit verify audit.jsonl --earlier checkpoint-2026-10.txt")
}

// Run carries it out.
func (c *AuditVerifyCmd) Run(_ context.Context, a *app) error {
	opts := audit.Options{Key: c.Key}
	for _, path := range c.Earlier {
		note, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		opts.Earlier = append(opts.Earlier, audit.Checkpoint{Note: note})
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := audit.Verify(f, opts)
	if err != nil {
		return err
	}
	if done, err := a.asJSON(report); done {
		if err == nil && !report.OK {
			err = exitWith(exitError)
		}
		return err
	}
	for _, s := range report.Statements {
		a.para(0, s)
	}
	if !report.OK {
		return exitWith(exitError)
	}
	return nil
}

// AuditCheckpointCmd shows the newest checkpoint.
type AuditCheckpointCmd struct{}

// Help gives examples.
func (AuditCheckpointCmd) Help() string {
	return "Keep it where nobody who runs firmward can change it: on paper, in a mail, with somebody else.\n\n" +
		examples("firmward audit checkpoint > checkpoint-2026-10.txt", "firmward audit verify audit.jsonl --earlier checkpoint-2026-10.txt")
}

// Run carries it out.
func (c *AuditCheckpointCmd) Run(ctx context.Context, a *app) error {
	if err := a.client.settle(ctx); err != nil {
		return err
	}
	var newest httpapi.Checkpoints
	if err := a.client.get(ctx, "/audit/checkpoints", values("limit", "1"), &newest); err != nil {
		return err
	}
	if len(newest.Items) == 0 {
		return firmward.Errorf(firmward.NotFound, "nothing is recorded and sealed yet: try again in a moment")
	}
	if done, err := a.asJSON(newest.Items[0]); done {
		return err
	}
	fmt.Fprint(a.out, newest.Items[0].Note)
	fmt.Fprintf(a.err, "It covers %d leaves. Keep the public key with it, for audit verify --key: %s\n", newest.Items[0].Size, newest.Key)
	return nil
}

// newFile writes a file that must not exist yet; a half one does not stay.
func newFile(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if os.IsExist(err) {
		return firmward.Errorf(firmward.Conflict, path+" exists already: choose another name")
	}
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
