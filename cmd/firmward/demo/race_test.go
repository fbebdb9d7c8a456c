//go:build race

package demo_test

// raceOn says that the race detector slows everything down.
const raceOn = true
