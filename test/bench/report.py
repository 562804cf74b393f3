"""Measured against bounds, as a table and as JSON."""

import json
import os
import platform
import time


class Report:
    def __init__(self):
        self.rows = []
        self.details = {}

    def add(self, name, measured, unit, at_most=None, at_least=None, hint=""):
        """One line. Without a bound it is for information."""
        met = None
        bound = ""
        if at_most is not None:
            met, bound = measured <= at_most, f"<= {at_most:g}"
        elif at_least is not None:
            met, bound = measured >= at_least, f">= {at_least:g}"
        row = {"name": name, "measured": measured, "unit": unit, "bound": bound, "met": met,
               "hint": "" if met else hint}
        self.rows.append(row)
        print(self.line(row), flush=True)

    @staticmethod
    def line(row):
        verdict = {True: "ok", False: "MISSED", None: ""}[row["met"]]
        measured = f"{row['measured']:.4g}" if row["measured"] < 1000 else f"{row['measured']:.0f}"
        text = f"{row['name']:<66} {row['bound']:>9} {measured:>8} {row['unit']:<9} {verdict}"
        return text.rstrip() + (f"\n    {row['hint']}" if row["hint"] else "")

    def print(self):
        print(f"\n{'what':<66} {'bound':>9} {'measured':>8}")
        for row in self.rows:
            print(self.line(row))
        missed = [row["name"] for row in self.rows if row["met"] is False]
        judged = sum(row["met"] is not None for row in self.rows)
        print(f"\n{judged - len(missed)} of {judged} bounds met; load of the machine now: "
              f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({
                "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "machine": {"cores": os.cpu_count(), "kernel": platform.release(),
                            "load": os.getloadavg()},
                "rows": self.rows, "details": self.details}, file, indent=1)
