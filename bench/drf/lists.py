"""The lists of the small service: a ModelViewSet with django-filter, search and ordering, as a project writes it."""

import app  # noqa: F401
import django_filters
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from rest_framework import filters, pagination, routers, serializers, viewsets


class UserSerializer(serializers.ModelSerializer):
    full_name = serializers.CharField(source="get_full_name")
    created_at = serializers.DateTimeField(source="date_joined")

    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "full_name", "is_active", "is_staff", "groups", "last_login", "created_at"]


class Numbers(django_filters.BaseInFilter, django_filters.NumberFilter):
    pass


class UserFilter(django_filters.FilterSet):
    groups_in = Numbers(field_name="groups", lookup_expr="in", distinct=True)
    has_token = django_filters.BooleanFilter(field_name="auth_token", lookup_expr="isnull", exclude=True)
    has_email = django_filters.BooleanFilter(method="with_email")
    created_from = django_filters.DateFilter(field_name="date_joined", lookup_expr="date__gte")

    def with_email(self, queryset, _name, value):
        return queryset.exclude(email="") if value else queryset.filter(email="")

    class Meta:
        model = User
        fields = ["is_active", "is_staff", "groups"]


class Pages(pagination.LimitOffsetPagination):
    default_limit = 10


class Users(viewsets.ModelViewSet):
    queryset = User.objects.prefetch_related("groups").order_by("id")
    serializer_class = UserSerializer
    pagination_class = Pages
    filter_backends = [django_filters.rest_framework.DjangoFilterBackend, filters.SearchFilter, filters.OrderingFilter]
    filterset_class = UserFilter
    search_fields = ["id", "username", "email", "first_name", "last_name"]
    ordering_fields = ["id", "username", "email", "last_login", "date_joined"]


router = routers.SimpleRouter(trailing_slash=False)
router.register("users", Users)
app.urlpatterns.append(path("api/", include(router.urls)))
application = get_wsgi_application()
