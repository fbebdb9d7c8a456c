// Package firmward holds the nouns of the house: the things that cross at least two rooms.
//
// Verbs live in packages: discover senses devices, identify merges what was seen, assess compares
// with advisories, remedy chooses the one next step, rollout and workorder act, audit proves.
// This package imports the standard library only and decides nothing.
package firmward

import "errors"

// Code is a stable machine-readable error code. It appears in API problem bodies and decides
// the exit status of the command line.
type Code string

// The codes. New ones may be added; the meaning of an existing one never changes.
const (
	Invalid      Code = "invalid"       // the input is wrong; the message says where
	NotFound     Code = "not-found"     // no such thing
	Conflict     Code = "conflict"      // the thing exists or is in another state
	Refused      Code = "refused"       // a safety rule or policy says no
	Unauthorized Code = "unauthorized"  // no valid token
	Forbidden    Code = "forbidden"     // the token's role is too low
	Unavailable  Code = "unavailable"   // a part outside does not answer: try later
	Locked       Code = "locked"        // another process owns the data directory or database
	NewerSchema  Code = "newer-schema"  // the data was written by a newer firmward
	TooLarge     Code = "too-large"     // a bound was passed
	DiskFull     Code = "disk-full"     // no space left where firmward writes
	Internal     Code = "internal"      // a defect of firmward
	NotSupported Code = "not-supported" // this device, driver or system lacks the ability
)

// Error is the one error type that faces show to a person: what happened and what to do next.
type Error struct {
	Code    Code
	Message string // a full sentence part in lower case, safe to show
	Err     error  // the cause, may be nil; never shown to API clients when Code is Internal
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf is a shorthand for an *Error without a cause.
func Errorf(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// CodeOf finds the code of err: that of the outermost *Error in its chain, else Internal; "" when err is nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
