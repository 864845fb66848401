"""Deciding about many of Surveyor's candidates at once: approve, reject, roll back.

NetBox runs custom scripts with all rights, whoever starts them. These ask for the `change` permission of
that person, constraints included, before and after each edit, as NetBox's own forms do; what they write is
what a person could write with the edit form. All of it happens, or, if a permission says no, none of it.

They need the tag and the custom fields that `surveyor bootstrap` makes. NetBox 5.0 runs no custom scripts;
the edit form and bulk edit do the same.
"""

from dcim.models import Cable, Device, DeviceRole, DeviceType, Site
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils import timezone
from extras.scripts import BooleanVar, ChoiceVar, DateVar, MultiObjectVar, ObjectVar, Script
from tenancy.models import Tenant
from utilities.exceptions import AbortScript
from virtualization.models import VirtualMachine

TAG = "surveyor"
# The status of what waits for a decision. Another one in `surveyor.toml` belongs here, too.
STAGED = "staged"
WAITING = {Device: STAGED, VirtualMachine: STAGED, Cable: "planned"}
APPROVED = {Device: "active", VirtualMachine: "active", Cable: "connected"}
FIELDS = {"devices": Device, "virtual_machines": VirtualMachine, "cables": Cable}
# States with something left to take back.
UNDOABLE = ("applied", "partial", "drifted", "failed", "blocked")
WAITS = {"tag": TAG, "status": STAGED}
PLANNED = {"tag": TAG, "status": "planned"}


class Deciding:
    """Who decides about what, and how it is saved. A subclass says whether an object suits, and edits it."""

    devices = MultiObjectVar(model=Device, required=False, query_params=WAITS, label="Devices")
    virtual_machines = MultiObjectVar(
        model=VirtualMachine, required=False, query_params=WAITS, label="Virtual machines"
    )
    cables = MultiObjectVar(
        model=Cable, required=False, query_params=PLANNED, label="Cables between switches"
    )
    verb = "decided"

    def run(self, data, commit):
        """Checks everything first: nothing is saved, and no event sent, for what turns out unsuitable."""
        person = self.person()
        chosen = self.chosen(data, person)
        if not chosen:
            raise AbortScript("Nothing is chosen.")
        self.check(data, person)
        edited = [row for row in chosen if self.edited(row, data)]
        for row in edited:
            row.save()
            if not type(row).objects.restrict(person, "change").filter(pk=row.pk).exists():
                raise AbortScript(
                    f"Your permissions do not allow this for {label(row)}. Nothing was changed."
                )
            self.log_success(f"{self.verb}, by {person.username}", row)
        return f"{self.verb}: {len(edited)} of {len(chosen)}"

    def person(self):
        """Who runs the script, with the permissions they have now."""
        user = getattr(self.request, "user", None)
        person = get_user_model().objects.filter(pk=getattr(user, "pk", None), is_active=True).first()
        if person is None:
            raise AbortScript("This script has to be run by a person.")
        return person

    def chosen(self, data, person):
        """What was chosen, locked; an abort if the person may not change it."""
        rows = []
        for field, model in FIELDS.items():
            wanted = {row.pk for row in data.get(field) or ()}
            allowed = model.objects.restrict(person, "change").filter(pk__in=wanted)
            found = list(allowed.select_for_update(of=("self",)).order_by("pk"))
            if missing := sorted(wanted - {row.pk for row in found}):
                numbers = ", ".join(str(pk) for pk in missing)
                noun = model._meta.verbose_name
                raise AbortScript(
                    f"You may not change the {noun} with the ID {numbers}. Nothing was changed."
                )
            rows += found
        return rows

    def check(self, data, person):
        """Aborts if what was asked for makes no sense."""

    def edited(self, row, data):
        """The object edited and valid, or nothing and a line in the log why not."""
        reason = self.unsuitable(row)
        if reason is None:
            row.snapshot()
            row._changelog_message = f"{self.verb} with a custom script"
            self.edit(row, data)
            try:
                row.full_clean()
                return row
            except ValidationError as problem:
                reason = "; ".join(problem.messages)
        self.log_warning(f"left alone: {reason}", row)
        return None

    def unsuitable(self, row):
        """Why an object is not for this script, if so."""
        if not row.custom_field_data.get("surveyor_id") or TAG not in row.tags.slugs():
            return "Surveyor did not propose it"
        return None


class Waiting(Deciding):
    """For what waits for a decision."""

    def unsuitable(self, row):
        """Only what is still a proposal."""
        reason = super().unsuitable(row)
        if reason is None and row.status != WAITING[type(row)]:
            reason = f"it is {row.get_status_display()}, not {WAITING[type(row)]}"
        return reason


class ApproveMany(Waiting, Script):
    """Sets the status that means approval."""

    everything = BooleanVar(
        label="All that waits",
        description="All candidates you may change, without those that are in conflict; choose these one by one",
    )
    role = ObjectVar(model=DeviceRole, required=False, description="Instead of the proposed one")
    site = ObjectVar(model=Site, required=False, description="Instead of the proposed one (devices only)")
    device_type = ObjectVar(model=DeviceType, required=False, description="Instead of the proposed one")
    tenant = ObjectVar(model=Tenant, required=False, description="Instead of the proposed one")
    verb = "approved"

    class Meta:
        """How NetBox shows it."""

        name = "Surveyor: approve many"
        description = "Approves staged devices and virtual machines, and planned cables between switches"
        scheduling_enabled = False
        fieldsets = (
            ("What to approve", ("devices", "virtual_machines", "cables", "everything")),
            ("What to set on all of them", ("role", "site", "device_type", "tenant")),
        )

    def chosen(self, data, person):
        """What was chosen, or everything without conflicts."""
        rows = super().chosen(data, person)
        if data.get("everything"):
            known = {(type(row), row.pk) for row in rows}
            for model, status in WAITING.items():
                allowed = model.objects.restrict(person, "change").filter(status=status, tags__slug=TAG)
                found = allowed.select_for_update(of=("self",)).order_by("pk")
                rows += [row for row in found if (model, row.pk) not in known and is_clear(row)]
        return rows

    def check(self, data, person):
        """Only what the person may see can be set."""
        for field in ("role", "site", "device_type", "tenant"):
            wanted = data.get(field)
            if wanted and not type(wanted).objects.restrict(person, "view").filter(pk=wanted.pk).exists():
                raise AbortScript(f"You may not see the {field.replace('_', ' ')} you chose.")

    def unsuitable(self, row):
        """A decision that was taken already has to be cleared first."""
        decision = row.custom_field_data.get("surveyor_decision")
        return super().unsuitable(row) or (f"its decision is already {decision}" if decision else None)

    def edit(self, row, data):
        """The status, and what was chosen for all."""
        row.status = APPROVED[type(row)]
        fields = {Device: ("role", "site", "device_type", "tenant"), VirtualMachine: ("role", "tenant")}
        for field in fields.get(type(row), ()):
            if data.get(field):
                setattr(row, field, data[field])
        if type(row) is Device and data.get("site") and row.location and row.location.site != row.site:
            row.location = None


class RejectMany(Waiting, Script):
    """Sets the decision that removes a proposal and remembers it."""

    decision = ChoiceVar(
        choices=(("reject", "Reject"), ("ignore", "Ignore")),
        default="reject",
        description="Either way it is remembered and not proposed again, until its entry in the list of "
        "ignored hosts is deleted",
    )
    snooze_until = DateVar(required=False, label="Only until", description="Propose it again after this day")
    verb = "rejected"

    class Meta:
        """How NetBox shows it."""

        name = "Surveyor: reject many"
        description = "Rejects or ignores staged devices and virtual machines, and planned cables"
        scheduling_enabled = False
        fieldsets = (
            ("What to reject", ("devices", "virtual_machines", "cables")),
            ("How", ("decision", "snooze_until")),
        )

    def check(self, data, person):
        """The day has to come yet."""
        until = data.get("snooze_until")
        if until and until <= timezone.localdate():
            raise AbortScript(f"{until} is not in the future.")

    def edit(self, row, data):
        """The decision; Surveyor does the rest."""
        row.custom_field_data["surveyor_decision"] = data["decision"]
        # Cables between switches have no such field.
        if data.get("snooze_until") and type(row) is not Cable:
            row.custom_field_data["surveyor_snooze_until"] = data["snooze_until"].isoformat()


class RollBack(Deciding, Script):
    """Sets the decision that takes an approval back."""

    devices = MultiObjectVar(model=Device, required=False, query_params={"tag": TAG}, label="Devices")
    virtual_machines = MultiObjectVar(
        model=VirtualMachine, required=False, query_params={"tag": TAG}, label="Virtual machines"
    )
    cables = MultiObjectVar(
        model=Cable, required=False, query_params={"tag": TAG}, label="Cables between switches"
    )
    verb = "to be rolled back"

    class Meta:
        """How NetBox shows it."""

        name = "Surveyor: roll back"
        description = "Takes back what an approval made: cable, addresses, interface, DNS records"
        scheduling_enabled = False
        fieldsets = (("What to roll back", ("devices", "virtual_machines", "cables")),)

    def unsuitable(self, row):
        """Only what was approved."""
        state = row.custom_field_data.get("surveyor_state")
        if reason := super().unsuitable(row):
            return reason
        if row.status == WAITING[type(row)] or state not in UNDOABLE:
            return f"nothing of it was applied (its state is {state})"
        return None

    def edit(self, row, data):
        """The decision; Surveyor does the rest."""
        row.custom_field_data["surveyor_decision"] = "undo"


def is_clear(row):
    """Whether nobody has doubts about it."""
    values = row.custom_field_data
    return values.get("surveyor_state") == "candidate" and not values.get("surveyor_decision")


def label(row):
    """An object in words of our own: names come from the network, and the log renders Markdown."""
    return f"the {row._meta.verbose_name} with the ID {row.pk}"


script_order = (ApproveMany, RejectMany, RollBack)
