package storetest

var knowledge, work, records []check
