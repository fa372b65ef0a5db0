"""What was learned and what is promised: backbones on offer, runs, model versions, certificates, audits."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from labeling.models import Annotation, DataSource, Item, Job, LabelClass, Project, User


class BackboneOffer(models.Model):
    """A backbone as the last survey of this installation found it; `problem` is empty when it can be used."""

    name = models.CharField(max_length=80, unique=True, help_text="what Project.backbone holds")
    title = models.CharField(max_length=200)
    licence = models.TextField(blank=True)
    megabytes = models.FloatField(null=True)
    side = models.PositiveIntegerField(null=True, help_text="pixels of the square it looks at")
    dimension = models.PositiveIntegerField(null=True)
    images_per_second = models.FloatField(null=True, help_text="measured here, on all cores")
    device = models.CharField(max_length=40, blank=True)
    problem = models.TextField(blank=True, help_text="why it cannot be used, in a sentence for people")
    signature = models.CharField(max_length=80, blank=True, help_text="of the weights that were measured")
    surveyed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.title


class TunedBackbone(models.Model):
    """A backbone that was fine-tuned for a project, while it is a candidate and after it was adopted."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tuned_backbones")
    name = models.CharField(max_length=80, unique=True, help_text="what Project.backbone holds")
    base = models.CharField(max_length=80)
    learned_from = ArrayField(models.BigIntegerField(), help_text="items that it must not be judged on")
    created_at = models.DateTimeField(auto_now_add=True)


class ModelVersion(models.Model):
    """A backbone and the head trained on its features. The newest `taught` one of a project is in use.

    Others go by words or examples and have learned from no answer: they propose once, where they are asked.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField()
    backbone = models.CharField(max_length=80)
    head = models.CharField(max_length=200, help_text="storage name of the head")
    classes = models.JSONField(default=list, help_text="ids of the classes it can tell apart")
    metrics = models.JSONField(default=dict)
    labels = models.PositiveIntegerField(help_text="how many answers it was trained on")
    revision = models.BigIntegerField(default=0, help_text="newest annotation that it was trained on")
    withdrawn = models.BigIntegerField(default=0, help_text="how many human answers were withdrawn by then")
    embedded = models.BigIntegerField(default=0, help_text="how many items had an embedding then")
    meaning = models.PositiveIntegerField(default=0, help_text="Project.meaning when its labels were read")
    taught = models.BooleanField(default=True, db_default=True, help_text="by answers of people")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="model_version_once")]


class Example(models.Model):
    """What a class looks like to who wants images labeled by example: an image, or a box on one."""

    MOST = 5  # of a class

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="examples")
    label_class = models.ForeignKey(LabelClass, on_delete=models.CASCADE, related_name="examples")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    place = models.PositiveSmallIntegerField(help_text="among those of its class")
    bbox = models.JSONField(null=True, help_text="[x, y, width, height]; empty for the whole image")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["label_class", "place"]
        constraints = [
            models.UniqueConstraint(fields=["label_class", "place"], name="example_place_once"),
            models.UniqueConstraint(
                fields=["label_class", "item"], condition=Q(bbox__isnull=True), name="example_image_once"
            ),
            models.CheckConstraint(condition=Q(place__lt=5), name="example_few_of_a_class"),
        ]


class Trial(models.Model):
    """A model asked about a few images, before it is let at many. What it was told is kept as it was then."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="trials")
    source = models.ForeignKey(
        DataSource, null=True, on_delete=models.CASCADE, related_name="+", help_text="empty for all images"
    )
    engine = models.CharField(max_length=120, help_text="the name of the model")
    title = models.CharField(max_length=200, help_text="what people call the model")
    prompts = models.JSONField(default=dict, help_text="what the model is told to look for, by class id")
    examples = models.JSONField(default=list, help_text="[{class, item, bbox?}]")
    model = models.CharField(max_length=200, blank=True, help_text="storage name of what was made of it")
    seconds = models.FloatField(null=True, help_text="that an image takes, as measured")
    spread = models.JSONField(
        default=dict, help_text="images of the whole choice by class and confidence, in hundredths"
    )
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)


class TrialImage(models.Model):
    """What the model of a trial says of an image: all of it, down to a low confidence."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, db_index=False, related_name="images")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    found = models.JSONField(null=True, help_text="[{class, confidence, bbox? | polygon?}]; empty so far")
    problem = models.CharField(max_length=300, blank=True, help_text="why there is nothing to be found")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["trial", "item"], name="trial_image_once")]


class AutoLabeling(models.Model):
    """Suggestions of a tried model for many images, made by a job in chunks; `cursor` is where it is."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="auto_labelings")
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="auto_labelings")
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="auto_labelings", help_text="whose proposals"
    )
    thresholds = models.JSONField(help_text="from which confidence it proposes, by class id")
    total = models.PositiveIntegerField(help_text="images that it was to look at")
    done = models.PositiveIntegerField(default=0)
    proposed = models.PositiveIntegerField(default=0, help_text="images with a suggestion")
    unreadable = models.PositiveIntegerField(default=0)
    cursor = models.FloatField(default=-1.0, help_text="draw of the last image that it has looked at")
    cursor_item = models.BigIntegerField(default=0)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    taken_back_at = models.DateTimeField(
        null=True, help_text="when somebody no longer wanted its suggestions"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(proposed__lte=models.F("done")), name="auto_labeling_proposed_of_done"
            ),
        ]


class CustomModel(models.Model):
    """Several candidates trained side by side because a manager asked for a model, to choose one by eye."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="custom_models")
    classes = ArrayField(
        models.BigIntegerField(), default=list, help_text="ids of those it learns; empty for all"
    )
    labels = models.PositiveIntegerField(help_text="answers there were to learn from")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    compared_at = models.DateTimeField(null=True, help_text="when there were images to compare them on")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    @property
    def state(self) -> str:
        """Return the state of its job, "done" once the candidates can be compared."""
        if self.compared_at is not None:
            return Job.State.DONE
        return self.job.state if self.job else Job.State.CANCELLED


class Candidate(models.Model):
    """One of the models that were trained side by side: how it was made, what it is worth, what it costs."""

    custom_model = models.ForeignKey(CustomModel, on_delete=models.CASCADE, related_name="candidates")
    position = models.PositiveSmallIntegerField()
    way = models.CharField(max_length=100, help_text="how it is made")
    title = models.CharField(max_length=200, help_text="what people call it, once they may know")
    kind = models.CharField(max_length=100, blank=True, help_text="of head or detector, where that is fixed")
    closer = models.FloatField(default=1.0, help_text="how many times as large it looks at images")
    backbone = models.CharField(max_length=80, blank=True)
    model = models.CharField(max_length=200, blank=True, help_text="storage name of what was learned")
    right = models.JSONField(default=dict, help_text="how right it was on labels held out, 0 to 1, by item")
    metrics = models.JSONField(default=dict)
    seconds = models.FloatField(null=True, help_text="that its training took")
    pace = models.FloatField(null=True, help_text="images it looks at in a second")
    megabytes = models.FloatField(null=True)
    problem = models.TextField(blank=True, help_text="why there is no such model")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["custom_model", "position"], name="candidate_position_once"),
            models.UniqueConstraint(fields=["custom_model", "way"], name="candidate_way_once"),
        ]


class Round(models.Model):
    """An image that candidates are compared on, unnamed: in `order`, with what each `found` there."""

    custom_model = models.ForeignKey(CustomModel, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveSmallIntegerField()
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    order = ArrayField(models.BigIntegerField(), help_text="ids of the candidates as they are shown")
    found = models.JSONField(help_text="[{class, confidence, bbox? | polygon?}] by id of the candidate")

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["custom_model", "number"], name="round_number_once"),
            models.UniqueConstraint(fields=["custom_model", "item"], name="round_item_once"),
        ]


class Vote(models.Model):
    """Which candidate somebody found best on an image; none where all seemed equal."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="votes")
    candidate = models.ForeignKey(Candidate, null=True, on_delete=models.CASCADE, related_name="votes")
    voter = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["round", "voter"], name="vote_once")]


class ChosenModel(models.Model):
    """The candidate that a project's models are made like, until somebody changes that."""

    project = models.OneToOneField(
        Project, primary_key=True, on_delete=models.CASCADE, related_name="chosen_model"
    )
    candidate = models.ForeignKey(Candidate, on_delete=models.CASCADE, related_name="+")
    chosen_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)


class Run(models.Model):
    """One visible step of the loop."""

    class Kind(models.TextChoices):
        TRAINING = "training"
        VALIDATION = "validation"
        INFERENCE = "inference"
        FEATURIZATION = "featurization"
        FINE_TUNING = "fine_tuning", "Fine-tuning"
        CANDIDATE = "candidate"

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        INTERRUPTED = "interrupted"  # by a kill or a restart: its job starts it again

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="runs")
    kind = models.CharField(max_length=13, choices=Kind.choices)
    backbone = models.CharField(max_length=80, blank=True, help_text="whose embeddings a featurization makes")
    state = models.CharField(max_length=11, choices=State.choices, default=State.RUNNING)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    log = models.TextField(blank=True)
    metrics = models.JSONField(default=dict)
    model_version = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL, related_name="runs")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="run_history")]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "backbone"],
                condition=Q(kind="featurization", state="running"),
                name="run_one_featurization",
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(kind="fine_tuning", state="running"),
                name="run_one_fine_tuning",
            ),
            models.CheckConstraint(
                condition=Q(state="running", finished_at=None)
                | (~Q(state="running") & Q(finished_at__isnull=False)),
                name="run_finished_has_time",
            ),
        ]


class Certificate(models.Model):
    """One attempt to prove a target on the blind labels, whatever came of it.

    Attempts that proved nothing are kept too: each has spent its share of the error budget.
    """

    class State(models.TextChoices):
        OPEN = "open"  # its labels are still being given
        VALID = "valid"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        SUPERSEDED = "superseded"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="certificates")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="certificates")
    attempt = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State.choices)
    promise = models.CharField(
        max_length=8, choices=Project.Promise.choices, default=Project.Promise.EACH_LABEL
    )
    target_error = models.FloatField()
    confidence = models.FloatField()
    alpha = models.FloatField(help_text="error budget that this attempt spent")
    threshold = models.FloatField(null=True)
    n = models.PositiveIntegerField(default=0, help_text="blind labels in the accepted region")
    errors = models.PositiveIntegerField(default=0)
    bound = models.FloatField(
        null=True, help_text="upper confidence bound of the error: of the region, or of the whole set"
    )
    allowed_error = models.FloatField(null=True, help_text="of its own labels; audits hold it to that")
    coverage = models.FloatField(default=0, help_text="share of the pool in the accepted region")
    n_validation = models.PositiveIntegerField(help_text="blind labels in all")
    sentence = models.TextField()
    evidence = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, help_text="why it was withdrawn or no longer used")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "attempt"], name="certificate_attempt_once"),
            models.UniqueConstraint(
                fields=["project"], condition=Q(state="valid"), name="certificate_one_valid"
            ),
            models.UniqueConstraint(
                fields=["project"], condition=Q(state="open"), name="certificate_one_open"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("refused", "open"))
                | Q(
                    threshold__isnull=False,
                    allowed_error__isnull=False,
                    bound__lte=models.F("target_error"),
                ),
                name="certificate_holds_target",
            ),
            models.CheckConstraint(
                condition=~Q(state="withdrawn") | Q(withdrawn_at__isnull=False),
                name="certificate_withdrawn_has_time",
            ),
        ]

    @property
    def held_to(self) -> float:
        """Return how often its own labels may be wrong."""
        return self.target_error if self.allowed_error is None else self.allowed_error

    @property
    def is_strict(self) -> bool:
        """Tell whether a label is right or wrong as a whole; else it loses 1 - F1 of its classes."""
        return bool(self.evidence.get("strict", True))

    def promises_enough(self, project: Project) -> bool:
        """Tell whether it promises what the project asks for now, or more."""
        return self.promises(project.promise, project.target_error, project.confidence)

    def promises(self, promise: str, target_error: float, confidence: float) -> bool:
        """Tell whether it promises that much, or more."""
        weaker = self.promise == Project.Promise.WHOLE_SET != promise
        return not weaker and self.target_error <= target_error and self.confidence >= confidence


class RegionDraw(models.Model):
    """An item drawn evenly from the region that a certificate is to be proved on, asked blind.

    It keeps what the model said of it when the region was fixed.
    """

    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="draws")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    score = models.FloatField()
    answer = ArrayField(models.BigIntegerField(), help_text="ids of the classes that the model said")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["certificate", "item"], name="region_draw_once")]


class WithheldClass(models.Model):
    """A class that a manager leaves to people, however sure the model is."""

    label_class = models.OneToOneField(LabelClass, primary_key=True, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="withheld_classes")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)


class Audit(models.Model):
    """A label made under a certificate, by the model or confirmed by a person, that is asked again, blind.

    `answer` is the first one. `loss` stays empty while others still look at the image, too.
    """

    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="audits")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    label = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="+")
    probability = models.FloatField(null=True, help_text="of having been drawn with its draw")
    answer = models.ForeignKey(Annotation, null=True, on_delete=models.SET_NULL, related_name="+")
    loss = models.FloatField(null=True, help_text="0 right, 1 wrong; empty until that is settled")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["certificate"], include=["item"], condition=Q(loss=None), name="audit_unsettled"
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["certificate", "item"], name="audit_once"),
            models.CheckConstraint(
                condition=Q(loss=None) | Q(loss__gte=0, loss__lte=1), name="audit_loss_range"
            ),
        ]


class SecondLook(models.Model):
    """A blind answer that somebody else is asked for, too, so that no single slip decides a certificate."""

    certificate = models.ForeignKey(
        Certificate,
        null=True,
        on_delete=models.CASCADE,
        related_name="second_looks",
        help_text="whose proof or audit the answer belongs to; empty for answers from the whole pool",
    )
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    first = models.OneToOneField(Annotation, on_delete=models.CASCADE, related_name="+")
    agreed = models.BooleanField(help_text="whether the first answer was the model's, too")
    probability = models.FloatField(help_text="of being asked about: less than one for those that agreed")
    created_at = models.DateTimeField(auto_now_add=True)


class ImportCheck(models.Model):
    """Whether a later import looks like the images that a certificate was proved on."""

    class State(models.TextChoices):
        ALIKE = "alike"
        DIFFERENT = "different"
        PROVED = "proved"  # different, but the target is kept there too
        FAILED = "failed"  # different, and too often wrong on its own blind labels

    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="imports")
    source = models.ForeignKey(DataSource, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=9, choices=State.choices)
    images = models.PositiveIntegerField(help_text="of the import, and of those compared along with it")
    score_distance = models.FloatField(null=True, help_text="Kolmogorov-Smirnov distance of the scores")
    score_p = models.FloatField(null=True)
    nearness_distance = models.FloatField(
        null=True, help_text="of the distances to the nearest training image"
    )
    nearness_p = models.FloatField(null=True)
    why = models.CharField(max_length=200, blank=True, help_text="in plain words")
    blind = models.PositiveIntegerField(default=0, help_text="own blind labels where the model is sure")
    errors = models.PositiveIntegerField(default=0)
    needed = models.PositiveIntegerField(default=0, help_text="blind labels in all, as far as it can be told")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["certificate", "source"], name="import_check_once"),
            models.CheckConstraint(condition=Q(errors__lte=models.F("blind")), name="import_check_errors"),
        ]
