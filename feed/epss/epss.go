// Package epss reads FIRST's exploit prediction scores in their CSV form.
package epss

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// Source is the reader.
type Source struct{}

// Info declares the source.
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "epss", Title: "FIRST exploit prediction scoring system", Kind: "likelihood", Gives: "how likely it is that a vulnerability is exploited within 30 days",
		Licence: "free with attribution to FIRST", Home: "www.first.org/epss",
		Period: 24 * time.Hour, StaleAfter: 7 * 24 * time.Hour,
		// It sends on to the file of the day on the same host. FIRST has moved the files before (epss.cyentia.com): the page
		// www.first.org/epss/data_stats names where they are.
		URLs: []string{"https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"},
	}
}

// Next asks for the scores of today.
func (Source) Next(f feed.Fetching) (feed.Batch, error) {
	return feed.One(f, "epss_scores-current.csv.gz"), nil
}

// Detect looks for the comment line, or the header where an old document has none.
func (Source) Detect(head []byte, _ string) bool {
	return bytes.HasPrefix(head, []byte("#model_version:")) || bytes.HasPrefix(head, []byte("cve,epss,percentile"))
}

const (
	header  = "cve,epss,percentile"
	maxLine = 4096 // bytes
)

// Sync reads the scores. The cursor is the score date. A document without its comment line has no
// date and no model version, and is an error: a score without a date cannot be judged.
func (Source) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	r := lines{r: bufio.NewReaderSize(in.Reader, maxLine), doc: in.Document}
	comment, err := r.next()
	if err != nil {
		return "", err
	}
	model, dated, err := parseComment(comment)
	if err != nil {
		return "", r.fail(err)
	}
	title, err := r.next()
	if err != nil {
		return "", err
	}
	if title != header {
		return "", r.fail(fmt.Errorf("the header %q was expected", header))
	}
	put.Dated(dated)
	for rows := 0; ; rows++ {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		line, err := r.next()
		if errors.Is(err, io.EOF) && rows > 0 {
			return feed.Cursor(dated.Format(time.RFC3339)), nil
		}
		if err != nil {
			return "", err
		}
		l, err := row(line)
		if err != nil {
			put.Refuse(fmt.Sprintf("row %d", rows+1), err.Error())
			continue
		}
		l.Model, l.Dated = model, dated
		if err := put.Likelihood(l); err != nil {
			return "", r.fail(err)
		}
	}
}

// parseComment reads "#model_version:v2025.03.14,score_date:2026-08-22T12:55:00Z".
func parseComment(s string) (model string, dated time.Time, err error) {
	rest, ok := strings.CutPrefix(s, "#model_version:")
	model, date, ok2 := strings.Cut(rest, ",score_date:")
	if !ok || !ok2 {
		return "", dated, errors.New("the first line is not #model_version:…,score_date:…")
	}
	dated, err = feed.Day(date)
	return model, dated, err
}

func row(line string) (firmward.Likelihood, error) {
	f := strings.Split(line, ",")
	if len(f) != 3 || !feed.CVE(f[0]) {
		return firmward.Likelihood{}, errors.New("a row has a CVE id, a score and a percentile")
	}
	l := firmward.Likelihood{Advisory: f[0]}
	for i, to := range []*float64{&l.Score, &l.Percentile} {
		v, err := strconv.ParseFloat(f[i+1], 64)
		if err != nil || !(v >= 0 && v <= 1) {
			return l, fmt.Errorf("%s: %q is no number from 0 to 1", f[0], f[i+1])
		}
		*to = v
	}
	return l, nil
}

// lines reads whole lines only: a last line without its end is half a file.
type lines struct {
	r   *bufio.Reader
	doc string
	at  int64
}

func (l *lines) next() (string, error) {
	b, err := l.r.ReadSlice('\n')
	l.at += int64(len(b))
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", l.fail(fmt.Errorf("a line has more than %d bytes", maxLine))
	case errors.Is(err, io.EOF) && len(b) == 0:
		return "", l.fail(io.EOF)
	case errors.Is(err, io.EOF):
		return "", l.fail(io.ErrUnexpectedEOF)
	case err != nil:
		return "", l.fail(err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func (l *lines) fail(err error) error {
	return &feed.PositionError{Document: l.doc, Offset: l.at, Err: err}
}
